import { createHmac, randomFillSync, timingSafeEqual } from 'node:crypto';
import { BLOCK_TOKEN_LIFE_MS, PAGE_TOKEN_LIFE_MS } from './wire-table.ts';

/** What a page token remembers: the listing it belongs to, and where the next page starts. */
export interface PagePosition {
  readonly operation: 'ListSnapshotBlocks' | 'ListChangedBlocks';
  /** Ids of the listing: one snapshot, or first and second. */
  readonly snapshotIds: readonly string[];
  readonly nextIndex: number;
}

/** The block that a block token stands for. */
export interface TokenBlock {
  readonly snapshotId: string;
  readonly blockIndex: number;
}

const MAC_SIZE = 32;

/*
 * Both tokens are unpadded base64url of the lengths and first letters that the real service shows (95 characters from
 * `AlMB`, 111 from `AlMD`):
 *
 *   block  0 02 53 01   3 snapshot id (8)   11 index (4)   15 expiry, ms (6)   21 random (18)           39 HMAC (32)
 *   page   0 02 53 03   3 digest of operation and ids (32)   35 next index (4)   39 expiry, ms (6)   45 random (6)
 *          51 HMAC (32)
 */
const BLOCK_TOKEN = { head: [0x02, 0x53, 0x01], size: 71, random: 21 };
const PAGE_TOKEN = { head: [0x02, 0x53, 0x03], size: 83, random: 45 };

/** Makes and judges block and page tokens. They need no storage: an HMAC under the store's own key makes them unforgeable. */
export class Tokens {
  readonly #key: Uint8Array;

  /** @param key - 32 secret bytes that live as long as the store, so that tokens survive a restart. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** Makes a token for one block of one snapshot, valid for seven days from `nowMs`. */
  forBlock(block: TokenBlock, nowMs: number): string {
    const token = emptyToken(BLOCK_TOKEN);
    this.#writeBlock(token, block);
    token.writeUIntBE(nowMs + BLOCK_TOKEN_LIFE_MS, 15, 6);
    return this.#seal(token);
  }

  /** Whether `text` was made for this very block and has not expired. */
  opensBlock(text: string, block: TokenBlock, nowMs: number): boolean {
    const token = this.#open(text, BLOCK_TOKEN);
    if (token === undefined || token.readUIntBE(15, 6) <= nowMs) return false;
    const expected = Buffer.from(token);
    this.#writeBlock(expected, block);
    return token.equals(expected);
  }

  /** Makes a token for the next page of a listing, valid for 60 minutes from `nowMs`. */
  forPage(position: PagePosition, nowMs: number): string {
    const token = emptyToken(PAGE_TOKEN);
    this.#listingDigest(position).copy(token, 3);
    token.writeUInt32BE(position.nextIndex, 35);
    token.writeUIntBE(nowMs + PAGE_TOKEN_LIFE_MS, 39, 6);
    return this.#seal(token);
  }

  /** Returns where the next page starts, or undefined when the token is not of this listing, forged or expired. */
  openPage(
    text: string,
    listing: Omit<PagePosition, 'nextIndex'>,
    nowMs: number,
  ): number | undefined {
    const token = this.#open(text, PAGE_TOKEN);
    if (token === undefined || token.readUIntBE(39, 6) <= nowMs) return undefined;
    if (!token.subarray(3, 35).equals(this.#listingDigest(listing))) return undefined;
    return token.readUInt32BE(35);
  }

  #writeBlock(token: Buffer, block: TokenBlock): void {
    // An id is 'snap-0' and 16 digits: eight bytes name it.
    token.write(block.snapshotId.slice(-16), 3, 8, 'hex');
    token.writeUInt32BE(block.blockIndex, 11);
  }

  #listingDigest(listing: Omit<PagePosition, 'nextIndex'>): Buffer {
    return createHmac('sha256', this.#key)
      .update([listing.operation, ...listing.snapshotIds].join('\n'))
      .digest();
  }

  #seal(token: Buffer): string {
    this.#mac(token).copy(token, token.length - MAC_SIZE);
    return token.toString('base64url');
  }

  #open(text: string, form: typeof BLOCK_TOKEN): Buffer | undefined {
    const token = Buffer.from(text, 'base64url');
    // Comparing the text again refuses the loose spellings that Node's decoder forgives.
    if (token.length !== form.size || token.toString('base64url') !== text) return undefined;
    if (form.head.some((byte, i) => token[i] !== byte)) return undefined;
    const isGenuine = timingSafeEqual(this.#mac(token), token.subarray(form.size - MAC_SIZE));
    return isGenuine ? token : undefined;
  }

  #mac(token: Buffer): Buffer {
    const signed = token.subarray(0, token.length - MAC_SIZE);
    return createHmac('sha256', this.#key).update(signed).digest();
  }
}

/** Random bytes that no token has yet; one draw from the system costs more than the rest of a token. */
const chance = Buffer.alloc(4096);
let chanceUsed = chance.length;

/** Begins a token; its random bytes keep two tokens of one block apart. */
function emptyToken(form: typeof BLOCK_TOKEN): Buffer {
  const token = Buffer.alloc(form.size);
  token.set(form.head);
  const count = form.size - MAC_SIZE - form.random;
  if (chanceUsed + count > chance.length) {
    randomFillSync(chance);
    chanceUsed = 0;
  }
  token.set(chance.subarray(chanceUsed, chanceUsed + count), form.random);
  chanceUsed += count;
  return token;
}
