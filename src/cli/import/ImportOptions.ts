/** What an import is told, and what it tells while it runs. */
import type * as Effect from "effect/Effect"
import type { FileOptions } from "./MovementFile.ts"
import type { MovementRules } from "./Movement.ts"
import type { RowOrder } from "./WalletRows.ts"

/** The balance before the first row: as the file's balances say, or this amount, as a text like `500.00`. */
export type Opening = { readonly _tag: "File" } | { readonly _tag: "Amount"; readonly text: string }

export interface ImportOptions extends MovementRules, Omit<FileOptions, "checkHeader"> {
  readonly file: string
  /** Of wallets that the import creates, like `500.00`, in the decimals of their currency. */
  readonly overdraft: string
  readonly order: RowOrder
  /** Booked as a movement of its own where the wallet has none yet. */
  readonly opening: Opening | undefined
  /** Checks and books nothing. */
  readonly dryRun: boolean
  /** Wallets looked at and created at a time. */
  readonly concurrency: number
  readonly onProgress: (progress: ImportProgress) => Effect.Effect<void>
}

export interface ImportProgress {
  readonly step: "read" | "compare" | "book"
  /** Bytes of the file when reading, else rows. */
  readonly done: number
  /** `undefined`: the size of the file. */
  readonly of: number | undefined
}
