import type { Socket } from 'node:net';

/** Milliseconds between two looks at the bodies that are leaving. */
const SAMPLE_INTERVAL_MS = 100;

/** What Node's stream handles count; they are not part of its public interface, so either may be missing. */
interface CountingHandle {
  /** Bytes handed to the handle. */
  readonly bytesWritten?: number;
  /** Bytes of those that the kernel has not accepted yet. */
  readonly writeQueueSize?: number;
  /** The handle of the TCP socket, where this one encrypts. */
  readonly _parent?: CountingHandle;
}

/** A body on its way out. */
interface LeavingBody {
  readonly socket: Socket;
  /** Bytes accepted on the connection when the body's last byte will have been. */
  readonly bodySize: number;
  readonly acceptedBefore: number;
  readonly tell: (bytesSent: number) => void;
  told: number;
}

const leaving = new Set<LeavingBody>();
let timer: NodeJS.Timeout | undefined;

/**
 * Tells from time to time how many bytes of a body the kernel has accepted, until the returned function is called.
 * To be called before head and body are written. A body is written whole, in one call: pieces cost a tenth more CPU
 * on TLS and half as much again without. So progress is read off the socket's handle; where Node does not show it,
 * nothing is told.
 */
export function watchBody(
  socket: Socket,
  { headSize, bodySize }: { readonly headSize: number; readonly bodySize: number },
  tell: (bytesSent: number) => void,
): () => void {
  const accepted = bytesAccepted(socket);
  if (accepted === undefined) return () => undefined;
  const acceptedBefore = accepted + headSize;
  const body: LeavingBody = { socket, bodySize, acceptedBefore, tell, told: 0 };
  leaving.add(body);
  // One timer for all connections, which stops by itself: most bodies leave between two looks.
  timer ??= setInterval(sample, SAMPLE_INTERVAL_MS).unref();
  return () => leaving.delete(body);
}

function sample(): void {
  if (leaving.size === 0) {
    clearInterval(timer);
    timer = undefined;
  }
  for (const body of leaving) {
    const accepted = (bytesAccepted(body.socket) ?? 0) - body.acceptedBefore;
    const bytesSent = Math.min(Math.max(accepted, 0), body.bodySize);
    if (bytesSent <= body.told) continue;
    body.told = bytesSent;
    body.tell(bytesSent);
  }
}

/** Bytes that the kernel has accepted on a connection, those of TLS records on TLS. */
function bytesAccepted(socket: Socket): number | undefined {
  const { _handle: handle } = socket as { _handle?: CountingHandle | null };
  const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {};
  if (bytesWritten === undefined || writeQueueSize === undefined) return undefined;
  return bytesWritten - writeQueueSize;
}
