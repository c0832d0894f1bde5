/**
 * Port: endpoints of webhooks, with what each of them has been delivered. Not derived from the
 * log: they live here alone and belong in the backup.
 *
 * What an endpoint has been delivered is a position of the log, and beside it the wallets that
 * are *behind* that position: so one wallet whose event is refused keeps one row, however many
 * events stand behind it, and keeps no other wallet.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { WalletEventType } from "../domain/Event.ts"
import type { InvalidRequest } from "../domain/Rejection.ts"
import type { Page, PageRequest } from "./Page.ts"
import type { ReadError } from "./StoreError.ts"

/** Attempts of one endpoint that are kept, the newest. */
export const maxDeliveries = 200

export type WebhookStatus = "enabled" | "disabled"

/** What whoever makes an endpoint says of it. `null`: of any. */
export interface WebhookSettings {
  readonly url: string
  readonly types: ReadonlyArray<WalletEventType> | null
  readonly walletIds: ReadonlyArray<string> | null
  readonly ownerId: string | null
  readonly description: string | null
}

/** What is shown of an endpoint. */
export interface Webhook extends WebhookSettings {
  readonly id: string
  readonly status: WebhookStatus
  /** Why it was disabled; while it is enabled, what the oldest failure that still stands was. */
  readonly lastError: string | null
  /** All events up to it that are wanted have been acknowledged, but for those of the wallets behind. */
  readonly position: bigint
  /** How many wallets are behind. */
  readonly walletsBehind: number
  /** Milliseconds. */
  readonly createdAt: number
  readonly updatedAt: number
}

/** `whsec_` and base64. While secrets roll there are two. */
export interface WebhookSecrets {
  readonly secret: string
  /** Signs, too, until then, milliseconds. */
  readonly previous: { readonly secret: string; readonly until: number } | null
}

export interface StoredWebhook extends Webhook, WebhookSecrets {
  /** Moves with every change, and with whoever begins to deliver. */
  readonly epoch: number
  /** Attempts that were ever recorded. */
  readonly attempts: number
}

/** Of a wallet that is behind: the events behind version `delivered` up to `through` are due yet. */
export interface WalletBehind {
  readonly walletId: string
  /** `-1`: none. */
  readonly delivered: number
  readonly through: number
  /** Failed in a row, of the event that is next. */
  readonly attempts: number
  /** Milliseconds: the first of these; `null`: it is behind, and nothing has failed. */
  readonly failedSince: number | null
  /** Milliseconds: when it is tried again. */
  readonly nextAt: number | null
  readonly lastError: string | null
}

/** An attempt. */
export interface Delivery {
  /** Counts the attempts of an endpoint. */
  readonly number: number
  /** `webhook-id`: the same for all attempts of one event. */
  readonly messageId: string
  readonly walletId: string
  readonly version: number
  readonly type: WalletEventType
  /** 1: the first of this event. */
  readonly attempt: number
  /** Milliseconds: when it began. */
  readonly time: number
  readonly durationMillis: number
  /** `null`: there was no answer. */
  readonly httpStatus: number | null
  /** `null`: it was acknowledged. */
  readonly error: string | null
}

/** How far an endpoint is. What it names is written together or not at all. */
export interface WebhookProgress {
  readonly id: string
  readonly epoch: number
  readonly position: bigint
  readonly lastError: string | null
  /** Nothing more is delivered. */
  readonly disabled: boolean
  /** Time of the change, milliseconds. */
  readonly time: number
  /** Wallets that are behind, as they are now: those that are new or have changed. */
  readonly behind: ReadonlyArray<WalletBehind>
  /** Wallets that are behind no longer; none of `behind`. */
  readonly caughtUp: ReadonlyArray<string>
  /** Attempts to be kept, upwards, at most `maxDeliveries`. */
  readonly deliveries: ReadonlyArray<Delivery>
  /** Attempts that were ever made. */
  readonly attempts: number
}

/** What is left out stays. */
export interface WebhookChange extends Partial<WebhookSettings> {
  /** `lastError` is none then. `enabled`: it goes on where it was, and failures are counted anew. */
  readonly status?: WebhookStatus
  readonly secrets?: WebhookSecrets
  /** Deliver what is behind this position again. Wallets that are behind stay so. */
  readonly position?: bigint
}

/** An endpoint whose events one may deliver from now on. */
export interface ClaimedWebhook {
  readonly webhook: StoredWebhook
  readonly behind: ReadonlyArray<WalletBehind>
}

export class WebhookStore extends Context.Service<
  WebhookStore,
  {
    /** With the first epoch and no wallet behind. `StoreDefect`: its id is there already. */
    readonly insert: (webhook: StoredWebhook) => Effect.Effect<void, ReadError>
    readonly get: (id: string) => Effect.Effect<StoredWebhook | undefined, ReadError>
    /** Newest first. */
    readonly list: (page: PageRequest) => Effect.Effect<Page<Webhook>, ReadError | InvalidRequest>
    /** Every one, with its secrets: they are bounded where they are made. */
    readonly all: Effect.Effect<ReadonlyArray<StoredWebhook>, ReadError>
    /** Who delivers has to begin anew. `undefined`: there is no such endpoint. */
    readonly change: (
      id: string,
      change: WebhookChange,
      time: number
    ) => Effect.Effect<StoredWebhook | undefined, ReadError>
    /** `false`: there is no such endpoint. */
    readonly remove: (id: string) => Effect.Effect<boolean, ReadError>
    /**
     * Takes an endpoint, whoever has it: when this has answered, nothing is saved under an older
     * epoch. `undefined`: it is disabled, or there is none.
     */
    readonly claim: (id: string) => Effect.Effect<ClaimedWebhook | undefined, ReadError>
    /** `false`: it is another's, was changed, disabled or removed: nothing was written. May be done twice. */
    readonly save: (progress: WebhookProgress) => Effect.Effect<boolean, ReadError>
    /** Newest first. */
    readonly deliveries: (id: string, page: PageRequest) => Effect.Effect<Page<Delivery>, ReadError | InvalidRequest>
  }
>()("effect-wallet/stores/WebhookStore") {}
