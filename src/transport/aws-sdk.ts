import type * as ClientEbs from '@aws-sdk/client-ebs';
import type * as Endpoints from '@smithy/core/endpoints';
import type * as Protocols from '@smithy/core/protocols';
import type * as Signature from '@smithy/signature-v4';
import { createRequire } from 'node:module';

/*
 * The SDK, loaded as what it is: CommonJS. Imported, it would be parsed once more by Node, file by file, for the names
 * that it exports; that is as much work as all else that the library does until its first request.
 */
const load = createRequire(import.meta.url);

export const clientEbs = load('@aws-sdk/client-ebs') as typeof ClientEbs;
export const endpoints = load('@smithy/core/endpoints') as typeof Endpoints;
export const protocols = load('@smithy/core/protocols') as typeof Protocols;
export const signatureV4 = load('@smithy/signature-v4') as typeof Signature;
