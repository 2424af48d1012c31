import type { Socket } from 'node:net';

/** Milliseconds between two looks at the bodies that are leaving. */
const SAMPLE_INTERVAL_MS = 100;

/** Tells the bytes on a socket, given its descriptor, that the other side has not acknowledged; undefined: unknown. */
export type SendQueue = (fd: number) => number | undefined;

/** What Node's stream handles tell; it is not part of their public interface, so any of it may be missing. */
interface CountingHandle {
  /** Bytes handed to the handle. */
  readonly bytesWritten?: number;
  /** Bytes of those that the kernel has not accepted yet. */
  readonly writeQueueSize?: number;
  readonly fd?: number;
  /** The handle of the TCP socket, where this one encrypts. */
  readonly _parent?: CountingHandle;
}

/** A body that is about to be written. */
export interface BodyOptions {
  readonly headSize: number;
  readonly bodySize: number;
  /** Without it, what the kernel has accepted passes for what has left. */
  readonly sendQueue: SendQueue | undefined;
  /** Told now and then how many bytes have left, when they have become more. */
  readonly onProgress: (bytesSent: number) => void;
  /** Told once, when the last byte has left. */
  readonly onLeft: () => void;
}

const leaving = new Set<LeavingBody>();
let timer: NodeJS.Timeout | undefined;

/**
 * Watches a body on its way out, from before it is written until {@link end}. A body is written whole, in one call:
 * pieces cost a tenth more CPU on TLS and half as much again without. So progress is read off the socket's handle;
 * where Node does not show it, nothing is told of it.
 */
export class LeavingBody {
  readonly #socket: Socket;
  readonly #options: BodyOptions;
  readonly #acceptedBefore: number;
  #told = 0;
  #isAccepted = false;

  constructor(socket: Socket, options: BodyOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#acceptedBefore = (bytesAccepted(socket) ?? 0) + options.headSize;
    leaving.add(this);
    // One timer for all connections, which stops by itself: most bodies leave between two looks.
    timer ??= setInterval(sampleAll, SAMPLE_INTERVAL_MS).unref();
  }

  /** Says that the kernel has accepted the last byte. */
  accepted(): void {
    this.#isAccepted = true;
    if (this.#queuedBytes() === 0) this.#left();
  }

  /** Says that the other side has begun to answer: if the body was accepted, it has left. */
  answered(): void {
    if (this.#isAccepted) this.#left();
  }

  /** Tells nothing any more. */
  end(): void {
    leaving.delete(this);
  }

  sample(): void {
    const queued = this.#queuedBytes();
    const accepted = bytesAccepted(this.#socket);
    if (accepted !== undefined) {
      const sent = accepted - this.#acceptedBefore - queued;
      const bytesSent = Math.min(Math.max(sent, 0), this.#options.bodySize);
      if (bytesSent > this.#told) {
        this.#told = bytesSent;
        this.#options.onProgress(bytesSent);
      }
    }
    if (this.#isAccepted && queued === 0) this.#left();
  }

  #left(): void {
    if (leaving.delete(this)) this.#options.onLeft();
  }

  #queuedBytes(): number {
    const fd = handleOf(this.#socket).fd ?? -1;
    return fd < 0 ? 0 : (this.#options.sendQueue?.(fd) ?? 0);
  }
}

function sampleAll(): void {
  if (leaving.size === 0) {
    clearInterval(timer);
    timer = undefined;
  }
  for (const body of leaving) body.sample();
}

/** Bytes that the kernel has accepted on a connection, those of TLS records on TLS. */
function bytesAccepted(socket: Socket): number | undefined {
  const { bytesWritten, writeQueueSize } = handleOf(socket);
  if (bytesWritten === undefined || writeQueueSize === undefined) return undefined;
  return bytesWritten - writeQueueSize;
}

function handleOf(socket: Socket): CountingHandle {
  const { _handle: handle } = socket as { _handle?: CountingHandle | null };
  return handle?._parent ?? handle ?? {};
}
