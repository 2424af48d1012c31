import { getSystemErrorMap } from 'node:util';
import type { NativeFailure } from './native-binding.ts';

/** Makes the error that Node would throw for a call which failed in native code: a negative errno, its name as code. */
export function systemError({ errno, syscall, offset }: NativeFailure): NodeJS.ErrnoException {
  const [code = 'UNKNOWN', text = 'system error'] = getSystemErrorMap().get(-errno) ?? [];
  const message = `${code}: ${text}, ${syscall}`;
  return Object.assign(new Error(message), { errno: -errno, code, syscall, offset });
}
