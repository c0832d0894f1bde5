/** Endpoints of webhooks in PostgreSQL. Every change is one statement, and so one transaction. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import type { WalletEventType } from "../../domain/Event.ts"
import type { InvalidRequest } from "../../domain/Rejection.ts"
import { decodePosition, type Page, type PageRequest, pageByNumber } from "../Page.ts"
import type { ReadError } from "../StoreError.ts"
import {
  type Delivery,
  maxDeliveries,
  type StoredWebhook,
  type WalletBehind,
  type Webhook,
  type WebhookChange,
  type WebhookProgress,
  type WebhookStatus,
  WebhookStore
} from "../WebhookStore.ts"
import { reading } from "./Failure.ts"
import { Conditions, int8, text, texts, time } from "./Parameters.ts"

export interface SqlWebhookStoreOptions {
  /** Milliseconds; default 5,000. */
  readonly readTimeoutMillis?: number | undefined
}

type Read = <A extends object>(
  statement: string,
  parameters?: ReadonlyArray<unknown>
) => Effect.Effect<ReadonlyArray<A>, ReadError>

interface WebhookRow {
  readonly id: string
  readonly number: bigint
  readonly url: string
  readonly types: ReadonlyArray<WalletEventType> | null
  readonly wallet_ids: ReadonlyArray<string> | null
  readonly owner_id: string | null
  readonly description: string | null
  readonly status: WebhookStatus
  readonly last_error: string | null
  readonly secret: string
  readonly previous_secret: string | null
  readonly previous_until: Date | null
  readonly position: bigint
  readonly epoch: bigint
  readonly attempts: bigint
  readonly created_at: Date
  readonly updated_at: Date
  readonly wallets_behind: number
}

const shownColumns = [
  "id, number, url, types, wallet_ids, owner_id, description, status, last_error, position, created_at, updated_at",
  "(select count(*)::int from webhook_wallets b where b.webhook_id = w.id) as wallets_behind"
].join(", ")

const columns = `${shownColumns}, secret, previous_secret, previous_until, epoch, attempts`

type ShownRow = Omit<WebhookRow, "secret" | "previous_secret" | "previous_until" | "epoch" | "attempts">

const shownOf = (row: ShownRow): Webhook => ({
  id: row.id,
  url: row.url,
  types: row.types,
  walletIds: row.wallet_ids,
  ownerId: row.owner_id,
  description: row.description,
  status: row.status,
  lastError: row.last_error,
  position: row.position,
  walletsBehind: row.wallets_behind,
  createdAt: row.created_at.getTime(),
  updatedAt: row.updated_at.getTime()
})

const webhookOf = (row: WebhookRow): StoredWebhook => ({
  ...shownOf(row),
  secret: row.secret,
  previous:
    row.previous_secret === null || row.previous_until === null
      ? null
      : { secret: row.previous_secret, until: row.previous_until.getTime() },
  epoch: Number(row.epoch),
  attempts: Number(row.attempts)
})

const insertWebhook = `
insert into webhooks (id, url, types, wallet_ids, owner_id, description, status, last_error, secret, previous_secret,
  previous_until, position, epoch, attempts, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`

const listOrNull = (values: ReadonlyArray<string> | null) => (values === null ? null : texts(values))
const timeOrNull = (millis: number | null | undefined) =>
  millis === null || millis === undefined ? null : time(millis)

const insertParameters = (webhook: StoredWebhook): ReadonlyArray<unknown> => [
  text(webhook.id),
  text(webhook.url),
  listOrNull(webhook.types),
  listOrNull(webhook.walletIds),
  webhook.ownerId,
  webhook.description,
  text(webhook.status),
  webhook.lastError,
  text(webhook.secret),
  webhook.previous?.secret ?? null,
  timeOrNull(webhook.previous?.until),
  int8(webhook.position),
  int8(webhook.epoch),
  int8(webhook.attempts),
  time(webhook.createdAt),
  time(webhook.updatedAt)
]

/** What a change sets, with the types of its parameters, which may be null. */
const assignments = (change: WebhookChange, at: number) => {
  const set: Array<string> = []
  const parameters: Array<unknown> = []
  const add = (column: string, type: string, value: unknown) => {
    parameters.push(value)
    // The first parameter is the id.
    set.push(`${column} = $${parameters.length + 1}::${type}`)
  }
  add("updated_at", "timestamptz", time(at))
  if (change.url !== undefined) add("url", "text", text(change.url))
  if (change.types !== undefined) add("types", "text[]", listOrNull(change.types))
  if (change.walletIds !== undefined) add("wallet_ids", "text[]", listOrNull(change.walletIds))
  if (change.ownerId !== undefined) add("owner_id", "text", change.ownerId)
  if (change.description !== undefined) add("description", "text", change.description)
  if (change.status !== undefined) {
    add("status", "text", text(change.status))
    set.push("last_error = null")
  }
  if (change.position !== undefined) add("position", "bigint", int8(change.position))
  if (change.secrets !== undefined) {
    const { previous, secret } = change.secrets
    add("secret", "text", text(secret))
    add("previous_secret", "text", previous?.secret ?? null)
    add("previous_until", "timestamptz", timeOrNull(previous?.until))
  }
  return { set: set.join(", "), parameters }
}

const anew = `, anew as (
  update webhook_wallets b set attempts = 0, failed_since = null, next_at = null, last_error = null
  from moved where b.webhook_id = moved.id
)`

const change = Effect.fnUntraced(function* (
  read: Read,
  id: string,
  given: WebhookChange,
  at: number
): Effect.fn.Return<StoredWebhook | undefined, ReadError> {
  const { parameters, set } = assignments(given, at)
  const rows = yield* read<WebhookRow>(
    `with moved as (
      update webhooks w set epoch = epoch + 1, ${set} where id = $1 returning *
    )${given.status === "enabled" ? anew : ""}
    select ${columns} from moved w`,
    [text(id), ...parameters]
  )
  return rows[0] && webhookOf(rows[0])
})

const claimWebhook = `
with taken as (
  update webhooks set epoch = epoch + 1 where id = $1 and status = 'enabled' returning *
)
select ${columns} from taken w`

interface BehindRow {
  readonly wallet_id: string
  readonly delivered: bigint
  readonly through: bigint
  readonly attempts: number
  readonly failed_since: Date | null
  readonly next_at: Date | null
  readonly last_error: string | null
}

const readBehind = `
select wallet_id, delivered, through, attempts, failed_since, next_at, last_error
from webhook_wallets where webhook_id = $1 order by wallet_id`

const behindOf = (row: BehindRow): WalletBehind => ({
  walletId: row.wallet_id,
  delivered: Number(row.delivered),
  through: Number(row.through),
  attempts: row.attempts,
  failedSince: row.failed_since?.getTime() ?? null,
  nextAt: row.next_at?.getTime() ?? null,
  lastError: row.last_error
})

/** Behind the claim nobody else writes them: what is read then is what there is. */
const claim = Effect.fnUntraced(function* (read: Read, id: string) {
  const [row] = yield* read<WebhookRow>(claimWebhook, [text(id)])
  if (row === undefined) return undefined
  const behind = yield* read<BehindRow>(readBehind, [text(id)])
  return { webhook: webhookOf(row), behind: behind.map(behindOf) }
})

const instant = (column: string) => `to_timestamp(a.${column}::numeric / 1000)`

/** Nothing, where the epoch is another: then `mine` has no row. */
const saveProgress = `
with mine as (
  update webhooks set position = $3, last_error = $4, attempts = $5,
    status = case when $6 then 'disabled' else status end,
    updated_at = case when $6 then $7::timestamptz else updated_at end
  where id = $1 and epoch = $2 and status = 'enabled'
  returning id
), caught_up as (
  delete from webhook_wallets b using mine where b.webhook_id = mine.id and b.wallet_id = any($8)
), behind as (
  insert into webhook_wallets (webhook_id, wallet_id, delivered, through, attempts, failed_since, next_at, last_error)
  select mine.id, a.wallet, a.delivered, a.through, a.attempts, ${instant("since")}, ${instant("next")}, a.error
  from mine, json_to_recordset($9::json)
    as a (wallet text, delivered int8, through int8, attempts int4, since int8, next int8, error text)
  on conflict (webhook_id, wallet_id) do update set
    delivered = excluded.delivered, through = excluded.through, attempts = excluded.attempts,
    failed_since = excluded.failed_since, next_at = excluded.next_at, last_error = excluded.last_error
), told as (
  insert into webhook_deliveries (webhook_id, slot, number, message_id, wallet_id, version, type, attempt, attempted_at,
    duration_millis, http_status, error)
  select mine.id, a.number % ${maxDeliveries}, a.number, a.message, a.wallet, a.version, a.type, a.attempt,
    ${instant("at")}, a.took, a.status, a.error
  from mine, json_to_recordset($10::json)
    as a (number int8, message text, wallet text, version int8, type text, attempt int4, at int8, took int4, status int4,
      error text)
  on conflict (webhook_id, slot) do update set
    number = excluded.number, message_id = excluded.message_id, wallet_id = excluded.wallet_id,
    version = excluded.version, type = excluded.type, attempt = excluded.attempt,
    attempted_at = excluded.attempted_at, duration_millis = excluded.duration_millis,
    http_status = excluded.http_status, error = excluded.error
)
select id from mine`

const saveParameters = (progress: WebhookProgress): ReadonlyArray<unknown> => [
  text(progress.id),
  int8(progress.epoch),
  int8(progress.position),
  progress.lastError,
  int8(progress.attempts),
  progress.disabled,
  time(progress.time),
  texts(progress.caughtUp),
  text(
    JSON.stringify(
      progress.behind.map(({ attempts, delivered, failedSince, lastError, nextAt, through, walletId }) => ({
        wallet: walletId,
        delivered,
        through,
        attempts,
        since: failedSince,
        next: nextAt,
        error: lastError
      }))
    )
  ),
  text(
    JSON.stringify(
      progress.deliveries.map(({ durationMillis, httpStatus, messageId, time, walletId, ...delivery }) => ({
        ...delivery,
        message: messageId,
        wallet: walletId,
        at: time,
        took: durationMillis,
        status: httpStatus
      }))
    )
  )
]

interface DeliveryRow {
  readonly number: bigint
  readonly message_id: string
  readonly wallet_id: string
  readonly version: bigint
  readonly type: WalletEventType
  readonly attempt: number
  readonly attempted_at: Date
  readonly duration_millis: number
  readonly http_status: number | null
  readonly error: string | null
}

const deliveryOf = (row: DeliveryRow): Delivery => ({
  number: Number(row.number),
  messageId: row.message_id,
  walletId: row.wallet_id,
  version: Number(row.version),
  type: row.type,
  attempt: row.attempt,
  time: row.attempted_at.getTime(),
  durationMillis: row.duration_millis,
  httpStatus: row.http_status,
  error: row.error
})

const list = Effect.fnUntraced(function* (
  read: Read,
  request: PageRequest
): Effect.fn.Return<Page<Webhook>, ReadError | InvalidRequest> {
  const before = yield* decodePosition("webhooks", request.cursor)
  const where = new Conditions().addIf(before, (p) => `number < ${p}`, int8)
  const rows = yield* read<ShownRow>(
    `select ${shownColumns} from webhooks w where ${where} order by number desc limit ${request.limit + 1}`,
    where.parameters
  )
  return pageByNumber("webhooks", rows, request.limit, shownOf)
})

const deliveries = Effect.fnUntraced(function* (
  read: Read,
  id: string,
  request: PageRequest
): Effect.fn.Return<Page<Delivery>, ReadError | InvalidRequest> {
  const before = yield* decodePosition("deliveries", request.cursor)
  const where = new Conditions().add((p) => `webhook_id = ${p}`, text(id)).addIf(before, (p) => `number < ${p}`, int8)
  const rows = yield* read<DeliveryRow>(
    `select number, message_id, wallet_id, version, type, attempt, attempted_at, duration_millis, http_status, error
    from webhook_deliveries where ${where} order by number desc limit ${request.limit + 1}`,
    where.parameters
  )
  return pageByNumber("deliveries", rows, request.limit, deliveryOf)
})

export const make = Effect.fnUntraced(function* (
  options: SqlWebhookStoreOptions = {}
): Effect.fn.Return<WebhookStore["Service"], never, SqlClient> {
  const sql = yield* SqlClient
  const within = reading("persistence", options.readTimeoutMillis ?? 5_000)
  const read: Read = <A extends object>(statement: string, parameters: ReadonlyArray<unknown> = []) =>
    within(sql.unsafe<A>(statement, parameters))
  const rowsOf = (where: string, parameters: ReadonlyArray<unknown> = []) =>
    Effect.map(read<WebhookRow>(`select ${columns} from webhooks w ${where}`, parameters), (rows) =>
      rows.map(webhookOf)
    )

  return WebhookStore.of({
    insert: (webhook) => Effect.asVoid(read(insertWebhook, insertParameters(webhook))),
    get: (id) => Effect.map(rowsOf("where id = $1", [text(id)]), ([webhook]) => webhook),
    list: (request) => list(read, request),
    all: rowsOf("order by number"),
    change: (id, given, at) => change(read, id, given, at),
    remove: (id) =>
      Effect.map(read("delete from webhooks where id = $1 returning id", [text(id)]), (rows) => rows.length > 0),
    claim: (id) => claim(read, id),
    save: (progress) => Effect.map(read(saveProgress, saveParameters(progress)), (rows) => rows.length > 0),
    deliveries: (id, request) => deliveries(read, id, request)
  })
})

export const layer = (options: SqlWebhookStoreOptions = {}): Layer.Layer<WebhookStore, never, SqlClient> =>
  Layer.effect(WebhookStore, make(options))
