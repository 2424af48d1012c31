import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

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

/** The agent that a handler would use for HTTPS, or for plain HTTP, if it is Node's own and nothing derived from it. */
export async function handlerAgent(
  handler: unknown,
  isEncrypted: boolean,
): Promise<HttpAgent | undefined> {
  if (!isNodeHandler(handler)) return undefined;
  const config = await handler.configProvider;
  const agent = isEncrypted ? config.httpsAgent : await config.httpAgentProvider?.();
  const { prototype } = isEncrypted ? HttpsAgent : HttpAgent;
  // Proxies and the like are classes of their own, derived from these.
  return Object.getPrototypeOf(agent) === prototype ? (agent as HttpAgent) : undefined;
}
