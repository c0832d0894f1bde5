/** Which events an endpoint wants. An owner is no part of an event: it is looked up once per wallet, and never changes. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { ToldEvent } from "../engine/EngineApi.ts"
import type { WalletEngine } from "../engine/WalletEngine.ts"
import type { WebhookSettings } from "../stores/WebhookStore.ts"
import type { WebhookBounds } from "./WebhookBounds.ts"

/** A look-up whose turn does not come is tried again after this. */
const lookAgain = Schedule.spaced("500 millis")

/** Owners of wallets, for all endpoints of a node; the least recently used goes. */
export class WalletOwners {
  readonly #engine: WalletEngine["Service"]
  readonly #max: number
  readonly #owners = new Map<string, string>()

  constructor(engine: WalletEngine["Service"], { owners }: WebhookBounds) {
    this.#engine = engine
    this.#max = owners
  }

  #keep(walletId: string, ownerId: string): string {
    this.#owners.delete(walletId)
    this.#owners.set(walletId, ownerId)
    for (const [oldest] of this.#owners) {
      if (this.#owners.size <= this.#max) break
      this.#owners.delete(oldest)
    }
    return ownerId
  }

  /** `undefined`: it has to be looked up. */
  known({ event, walletId }: ToldEvent): string | undefined {
    if (event._tag === "WalletCreated") return this.#keep(walletId, event.ownerId)
    const ownerId = this.#owners.get(walletId)
    return ownerId && this.#keep(walletId, ownerId)
  }

  /** Waits for the log. `undefined`: it cannot be known. */
  lookUp(walletId: string): Effect.Effect<string | undefined> {
    return this.#engine.events({ walletId, after: -1, limit: 1 }).pipe(
      Effect.retry({
        schedule: lookAgain,
        while: ({ _tag }) => _tag === "StoreUnavailable" || _tag === "RateLimited"
      }),
      Effect.map(([first]) =>
        first?.event._tag === "WalletCreated" ? this.#keep(walletId, first.event.ownerId) : undefined
      ),
      Effect.catch((error) =>
        Effect.as(Effect.logWarning(`the owner of wallet ${walletId} cannot be known: ${error.message}`), undefined)
      )
    )
  }
}

export interface WantedEvents {
  /** Of a wallet that is wanted. */
  readonly isType: (recorded: ToldEvent) => boolean
  /** `false` for certain. */
  readonly isOtherWallet: (walletId: string) => boolean
  /** `undefined`: its owner has to be looked up. */
  readonly isWanted: (recorded: ToldEvent) => boolean | undefined
  readonly lookUp: (recorded: ToldEvent) => Effect.Effect<boolean>
}

export const wantedEvents = ({ ownerId, types, walletIds }: WebhookSettings, owners: WalletOwners): WantedEvents => {
  const wallets = walletIds && new Set(walletIds)
  const wantedTypes = types && new Set<string>(types)
  const isType = ({ event }: ToldEvent) => wantedTypes === null || wantedTypes.has(event._tag)
  const isOtherWallet = (walletId: string) => wallets !== null && !wallets.has(walletId)
  return {
    isType,
    isOtherWallet,
    isWanted: (recorded) => {
      if (isOtherWallet(recorded.walletId)) return false
      const owner = ownerId === null ? undefined : owners.known(recorded)
      if (!isType(recorded)) return false
      if (ownerId === null) return true
      return owner === undefined ? undefined : owner === ownerId
    },
    lookUp: ({ walletId }) => Effect.map(owners.lookUp(walletId), (owner) => owner === ownerId)
  }
}
