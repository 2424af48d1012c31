import { HttpTransport } from '../../src/transport/http-transport.ts';
import { SdkTransport } from '../../src/transport/sdk-transport.ts';
import { describeTransport } from './transport-suite.ts';

describeTransport('lean', (client) => new HttpTransport(client, { ownsClient: false }));
describeTransport('sdk', (client) => new SdkTransport(client, { ownsClient: false }));
