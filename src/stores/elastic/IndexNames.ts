/**
 * Names of indexes and aliases. A set is one index of each kind with the same generation,
 * `wallet-transactions-000003`; what is searched goes by aliases, `wallet-transactions`. Each index has
 * an alias of its own besides, by which it is written while it is filled: a write by an index's name would
 * make the index should it be gone, one that insists on an alias never does.
 */
import type { DocumentKind } from "../SearchIndex.ts"

export type IndexKind = DocumentKind | "meta"

const words: Readonly<Record<IndexKind, string>> = {
  wallet: "wallets",
  transaction: "transactions",
  transfer: "transfers",
  hold: "holds",
  meta: "meta"
}

/** `meta` first: whoever makes it makes the rest. */
export const indexKinds: ReadonlyArray<IndexKind> = ["meta", "wallet", "transaction", "transfer", "hold"]
export const documentKinds: ReadonlyArray<DocumentKind> = ["wallet", "transaction", "transfer", "hold"]

/** Of several services that share a server, each has its own. */
export const prefixPattern = /^[a-z0-9][a-z0-9_-]{0,63}$/

export const aliasName = (prefix: string, kind: IndexKind): string => `${prefix}-${words[kind]}`

export const indexName = (prefix: string, kind: IndexKind, generation: number): string =>
  `${aliasName(prefix, kind)}-${String(generation).padStart(6, "0")}`

/** Of that index alone, as long as there is one. */
export const ownAlias = (index: string): string => `${index}-own`

export interface NameParts {
  readonly kind: IndexKind
  readonly generation: number
}

/** `undefined`: not a name of this prefix's. */
export const partsOf = (prefix: string, name: string): NameParts | undefined => {
  for (const kind of indexKinds) {
    const alias = `${aliasName(prefix, kind)}-`
    const generation = name.slice(alias.length)
    if (name.startsWith(alias) && /^\d{6,15}$/.test(generation)) return { kind, generation: Number(generation) }
  }
  return undefined
}
