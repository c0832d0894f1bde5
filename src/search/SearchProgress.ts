/**
 * Search as the engine sees it: whether it has an index of its own, how to wait until that has what
 * the log has, and how it does.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StoreUnavailable } from "../stores/StoreError.ts"

/** Of an index of its own, on this node. */
export interface SearchLoad {
  /** This node writes it. */
  readonly isWriter: boolean
  /** What stands in the way, with the address; `undefined`: nothing. */
  readonly trouble: string | undefined
  /** It serves, and should be rebuilt: why; `undefined`: it is as this release makes it. */
  readonly outdated: string | undefined
  /** Age of the oldest event that it does not have yet, as far as this node knows, ms. */
  readonly lagMillis: number
  /** Documents that it has refused. */
  readonly deadLetters: number
}

export class SearchProgress extends Context.Service<
  SearchProgress,
  {
    /** `undefined`: search reads the rows of Persistence; what is persisted is indexed. */
    readonly index:
      | {
          /**
           * Completes with `true` when a search that is sent from now on finds what these wallets have had persisted
           * before this was called, as of the version `since` or a later one; `false`: the index has refused some
           * of it. While the index is away that is not; whoever asks has to limit its time.
           */
          readonly shows: (walletIds: ReadonlyArray<string>, since?: number) => Effect.Effect<boolean>
          /** `undefined`: it may be read. Else it is another installation's, is not as it should be, or is not known yet. */
          readonly refusal: () => StoreUnavailable | undefined
          /** A search of it has failed: it is looked at now, not when it is next to be. */
          readonly suspect: Effect.Effect<void>
          readonly load: () => SearchLoad
        }
      | undefined
  }
>()("effect-wallet/search/SearchProgress") {
  /** Search reads the rows of Persistence. */
  static readonly none = SearchProgress.of({ index: undefined })
}
