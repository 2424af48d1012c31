import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { ProxyHttpAgent, ProxyHttpsAgent } from './proxy-agents.ts';

/** The parts of the SDK's NodeHttpHandler that are looked at; it shows its configuration only after its first request. */
interface NodeHandler {
  readonly configProvider: Promise<{
    readonly httpsAgent?: unknown;
    readonly httpAgentProvider?: () => Promise<unknown>;
  }>;
}

/** Whether a client sends over the SDK's own handler; a copy from another installation is told by its name. */
export function isNodeHandler(handler: unknown): handler is NodeHandler {
  const { constructor, configProvider } = (handler ?? {}) as Partial<NodeHandler> & object;
  return constructor.name === 'NodeHttpHandler' && configProvider instanceof Promise;
}

/**
 * The agent that a handler would use for HTTPS, or for plain HTTP, if it is Node's own, or ours, and nothing else that
 * is derived from it.
 */
export async function handlerAgent(
  handler: unknown,
  isEncrypted: boolean,
): Promise<HttpAgent | undefined> {
  if (!isNodeHandler(handler)) return undefined;
  const config = await handler.configProvider;
  const agent = isEncrypted ? config.httpsAgent : await config.httpAgentProvider?.();
  // Other proxies and the like are classes of their own, derived from these.
  const known = isEncrypted ? [HttpsAgent, ProxyHttpsAgent] : [HttpAgent, ProxyHttpAgent];
  const prototype: unknown = Object.getPrototypeOf(agent);
  return known.some((Agent) => Agent.prototype === prototype) ? (agent as HttpAgent) : undefined;
}
