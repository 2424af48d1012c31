import { refusalAnswer, type Answer } from './answers.ts';
import { authenticate, signatureErrorAnswer } from './authenticate.ts';
import { completeSnapshot } from './complete-snapshot.ts';
import { answerEc2 } from './ec2-query.ts';
import { getSnapshotBlock } from './get-snapshot-block.ts';
import { formOf, type Incoming } from './incoming.ts';
import { listChangedBlocks } from './list-changed-blocks.ts';
import { listSnapshotBlocks } from './list-snapshot-blocks.ts';
import { NoAnswer } from './no-answer.ts';
import { putSnapshotBlock } from './put-snapshot-block.ts';
import { frameworkError, internalError, Refusal } from './refusal.ts';
import { answerS3 } from './s3-rest.ts';
import type { Operation, ReceivedBody, Service } from './service.ts';
import { startSnapshot } from './start-snapshot.ts';
import { answerSts } from './sts-query.ts';
import { SignatureError, type SignatureVerifier } from './verify-signature.ts';
import type { EbsOperation } from './wire-table.ts';
import { xmlErrorAnswer } from './xml-errors.ts';

/** In the place of a body's digest: the client's signature does not cover the body. */
const UNSIGNED_PAYLOAD = 'UNSIGNED-PAYLOAD';

const EBS: Readonly<Record<EbsOperation, Operation>> = {
  StartSnapshot: startSnapshot,
  PutSnapshotBlock: putSnapshotBlock,
  CompleteSnapshot: completeSnapshot,
  ListSnapshotBlocks: listSnapshotBlocks,
  ListChangedBlocks: listChangedBlocks,
  GetSnapshotBlock: getSnapshotBlock,
};

/**
 * Answers one whole request: signature first, then whatever the service says. Every failure becomes an answer in the
 * form of the service that was asked; this rejects with NoAnswer alone.
 * @param interrupt - runs between signature and operation; what it throws is the answer.
 */
export async function dispatch(
  parties: { readonly service: Service; readonly verifier: SignatureVerifier },
  incoming: Incoming,
  body: ReceivedBody,
  interrupt: () => Promise<void> | undefined,
): Promise<Answer> {
  try {
    const { region } = authenticate(
      parties.verifier,
      {
        method: incoming.method,
        url: incoming.url,
        rawHeaders: incoming.request.rawHeaders,
        bodySha256Hex: await payloadHash(incoming, body),
      },
      incoming.service,
    );
    await interrupt();
    return await operate(parties.service, incoming, { body, region });
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    return errorAnswer(error, incoming);
  }
}

/**
 * What a client has not signed is not hashed for its signature. Nor is a part of a body: whoever stopped sending is to hear
 * of that, not of a bad signature.
 */
async function payloadHash(
  { request }: Incoming,
  { content, isTooLong, isCut }: ReceivedBody,
): Promise<string | undefined> {
  const isSigned = request.headers['x-amz-content-sha256'] !== UNSIGNED_PAYLOAD;
  if (isTooLong || isCut || !isSigned) return undefined;
  return (await content.digest()).toString('hex');
}

function operate(
  service: Service,
  incoming: Incoming,
  { body, region }: { body: ReceivedBody; region: string },
): Promise<Answer> | Answer {
  const { route, method, path, query, request } = incoming;
  if (body.isTooLong && route?.operation !== 'PutSnapshotBlock') {
    throw frameworkError(413, 'RequestEntityTooLargeException', 'The request body is too long.');
  }
  switch (incoming.service) {
    case 'ec2':
      return answerEc2(service, { region, form: formOf(body.content.bytes) });
    case 'sts':
      return answerSts(service, formOf(body.content.bytes));
    case 's3':
      return answerS3(service, method, path);
    case 'ebs':
  }
  if (route === undefined) {
    throw frameworkError(
      404,
      'UnknownOperationException',
      'No operation has this method and path.',
    );
  }
  const { headers } = request;
  return EBS[route.operation](service, { region, path: route.path, query, headers, body });
}

/** Words a failure in the form of the service that was asked. */
export function errorAnswer(error: unknown, { service }: Incoming): Answer {
  if (error instanceof SignatureError) return signatureErrorAnswer(error, service);
  // A failing disk or store must neither end the process nor be taken for the client's mistake.
  const refusal = error instanceof Refusal ? error : internalError(String(error));
  if (service === 'ebs') return refusalAnswer(refusal);
  const { status, type: code, message } = refusal;
  return xmlErrorAnswer(service, { status, code, message });
}
