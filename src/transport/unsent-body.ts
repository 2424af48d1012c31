import type { ClientRequest } from 'node:http';

/** The answer as Node's own handler hands it out; other handlers' answers have none of this. */
interface NodeResponse {
  readonly body?: { readonly req?: ClientRequest };
}

/** The two ends of a deserializing middleware, as far as they matter here. */
type Handler<Args, Result> = (args: Args) => Promise<Result & { readonly response: unknown }>;

/**
 * SDK middleware for requests with a body: an answer that comes before the body was sent to its end closes the
 * connection before the call settles. Node would go on sending, from memory that the caller by then uses for something
 * else. An abort or a failure needs nothing: both close the socket, and a closed handle sends nothing more.
 */
export function letGoOfBody<Args extends object, Result>(
  next: Handler<Args, Result>,
): Handler<Args, Result> {
  return async (args) => {
    let request: ClientRequest | undefined;
    try {
      const result = await next(args);
      request = requestOf(result.response);
      return result;
    } catch (error) {
      request = requestOf((error as { $response?: unknown }).$response);
      throw error;
    } finally {
      if (request !== undefined && !request.writableFinished) await closed(request);
    }
  };
}

function requestOf(response: unknown): ClientRequest | undefined {
  const { body } = (response ?? {}) as NodeResponse;
  return typeof body === 'object' ? body.req : undefined;
}

async function closed(request: ClientRequest): Promise<void> {
  const socket = request.socket;
  request.destroy();
  if (socket === null || socket.closed) return;
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}
