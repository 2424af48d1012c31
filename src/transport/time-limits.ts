/** Milliseconds for a connection to come up, TLS included. */
export const CONNECT_TIMEOUT_MS = 15_000;

/**
 * Milliseconds without a byte in either direction after which a socket is given up. A backstop: what is slow for its
 * path is found sooner, by those who know the path.
 */
export const IDLE_TIMEOUT_MS = 60_000;
