import type { EBSClientResolvedConfig } from '@aws-sdk/client-ebs';
import { HttpRequest, type HttpResponse } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { XMLParser } from 'fast-xml-parser';

/** Where a service listens. */
export interface Endpoint {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
}

/** One call of the EC2 Query API, over an EBS client's credentials, region and sockets. */
export interface Ec2Query {
  readonly config: EBSClientResolvedConfig;
  /** The EBS endpoint in use; see {@link ec2Hostname}. */
  readonly endpoint: Endpoint;
  /** `Action` and its parameters. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

const EC2_API_VERSION = '2016-11-15';

/**
 * Sends one EC2 Query call and returns the parsed XML document.
 * Failures have the shape of the SDK's own: `name`, `message`, `$metadata`.
 */
export async function sendEc2Query(query: Ec2Query): Promise<unknown> {
  const { config, endpoint, signal } = query;
  const body = new URLSearchParams({ ...query.parameters, Version: EC2_API_VERSION }).toString();
  const hostname = ec2Hostname(endpoint.hostname);
  const request = new HttpRequest({
    method: 'POST',
    protocol: endpoint.protocol,
    hostname,
    ...(endpoint.port === undefined ? {} : { port: endpoint.port }),
    path: '/',
    headers: {
      host: endpoint.port === undefined ? hostname : `${hostname}:${endpoint.port}`,
      'content-type': 'application/x-www-form-urlencoded; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
    },
    body,
  });
  const signer = new SignatureV4({
    service: 'ec2',
    region: config.region,
    credentials: config.credentials,
    sha256: config.sha256,
  });
  const signed = HttpRequest.clone(await signer.sign(request));
  const { response } = (await config.requestHandler.handle(
    signed,
    signal === undefined ? {} : { abortSignal: signal },
  )) as { response: HttpResponse };
  const text = Buffer.from(await config.streamCollector(response.body)).toString('utf8');
  if (response.statusCode >= 300) throw toFailure(response.statusCode, text);
  return new XMLParser({ parseTagValue: false }).parse(text);
}

/**
 * The EC2 host beside an EBS host: `ebs.` and `ebs-fips.` become `ec2.` and `ec2-fips.`. Any other host (a local
 * service, a proxy) is taken to answer both.
 */
function ec2Hostname(ebsHostname: string): string {
  return ebsHostname.replace(/^ebs(-fips)?\./, 'ec2$1.');
}

interface ErrorDocument {
  readonly Response?: {
    readonly Errors?: { readonly Error?: { readonly Code?: string; readonly Message?: string } };
    readonly RequestID?: string;
  };
}

function toFailure(httpStatusCode: number, text: string): Error {
  const document = new XMLParser({ parseTagValue: false }).parse(text) as ErrorDocument;
  const { Code = 'UnknownError', Message = '' } = document.Response?.Errors?.Error ?? {};
  return Object.assign(new Error(Message), {
    name: Code,
    $metadata: { httpStatusCode, requestId: document.Response?.RequestID },
  });
}
