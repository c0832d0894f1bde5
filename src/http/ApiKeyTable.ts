/**
 * The API keys that a node knows, by the SHA-256 of their secrets, and since when.
 * Secrets are 256 random bits, so a hash needs neither salt nor stretching.
 */
import { hash, randomBytes, timingSafeEqual } from "node:crypto"
import type { ApiKey, StoredApiKey } from "../stores/ApiKeyStore.ts"

/** Hex. */
export const digestOf = (secret: string): string => hash("sha256", secret, "hex")

export const newSecret = (): string => `ew_${randomBytes(32).toString("base64url")}`

interface Entry {
  readonly key: ApiKey
  readonly digest: Buffer
}

const entryOf = ({ hash, ...key }: StoredApiKey): readonly [string, Entry] => [
  hash,
  { key, digest: Buffer.from(hash, "hex") }
]

export class ApiKeyTable {
  #entries = new Map<string, Entry>()
  /** Milliseconds: when the reading began that the table is from. */
  readAt = -Infinity

  replace(keys: ReadonlyArray<StoredApiKey>, readAt: number): void {
    this.#entries = new Map(keys.map(entryOf))
    this.readAt = readAt
  }

  add(key: StoredApiKey): void {
    this.#entries.set(...entryOf(key))
  }

  remove(id: string): void {
    for (const [digest, entry] of this.#entries) if (entry.key.id === id) this.#entries.delete(digest)
  }

  find(secret: string): ApiKey | undefined {
    const digest = digestOf(secret)
    const entry = this.#entries.get(digest)
    // The map is keyed by a hash that nobody can choose freely; the comparison itself takes constant time.
    return entry !== undefined && timingSafeEqual(entry.digest, Buffer.from(digest, "hex")) ? entry.key : undefined
  }
}
