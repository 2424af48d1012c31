import type { Server } from 'node:net';
import { loadNative } from '../../engine/load-native.ts';
import type { HostilitySettings } from './settings.ts';

/** Ethernet's: senders bound their own buffers by it, as they would on a network. */
const SEGMENT_BYTES = 1460;
/** What a socket gets when the bound is lifted; the kernel's own growth cannot be had back. */
const UNBOUND_BYTES = 4 * 1_048_576;

/**
 * Makes sure that receive windows can be bounded when settings ask for it.
 * @throws {SnapshotError} ERR_EBS_ENGINE when the addon is missing: Node has no way to set this.
 */
export function requireReceiveWindows({ path, schedule = [] }: HostilitySettings): void {
  const paths = [path, ...schedule.map((step) => step.path)];
  if (paths.some((one) => one?.receiveWindowBytes !== undefined)) loadNative();
}

/** Bounds the receive windows of the connections that a server accepts. */
export class ReceiveWindow {
  readonly #server: Server;
  #bytes: number | undefined;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Sets the bound for connections made from now on; undefined lifts it. */
  set(bytes: number | undefined): void {
    if (bytes === this.#bytes) return;
    // Node keeps the descriptor to itself, yet under a name that has been the same since version 0.10.
    const { _handle: handle } = this.#server as Server & { _handle?: { readonly fd: number } };
    if (handle === undefined) return;
    this.#bytes = bytes;
    const segmentBytes = bytes === undefined ? 0 : SEGMENT_BYTES;
    const errno = loadNative().limitReceiveWindow(handle.fd, bytes ?? UNBOUND_BYTES, segmentBytes);
    if (errno !== 0) {
      process.emitWarning(`The receive window could not be set to ${bytes ?? 0} bytes (${errno}).`);
    }
  }
}
