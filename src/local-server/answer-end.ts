import type { ServerResponse } from 'node:http';

/*
 * A response that waits behind an earlier one of its connection has no socket yet, and Node tells it nothing when the
 * connection closes. So both are watched: the response, and the connection that the request came by.
 */

/** Whether nobody can receive the answer any more. */
export function isGone(response: ServerResponse): boolean {
  return response.destroyed || response.req.socket.destroyed;
}

/** Calls `done` once, when the answer has been handed to the kernel or can no longer be. */
export function onceDone(response: ServerResponse, done: () => void): void {
  const { socket } = response.req;
  if (response.closed || socket.destroyed) {
    done();
    return;
  }
  const end = (): void => {
    response.off('close', end);
    socket.off('close', end);
    done();
  };
  response.once('close', end);
  socket.once('close', end);
}
