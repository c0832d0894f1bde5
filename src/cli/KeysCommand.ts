/** `wallet keys`: API keys, made, listed and revoked. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import { amountPattern, isCurrency, isId } from "../domain/Limits.ts"
import { ApiKeys, type KeyBounds } from "../http/ApiKeys.ts"
import type { KeyJson } from "../http/api/KeySchemas.ts"
import { type KeyDocument, keyJson } from "../http/KeyDocument.ts"
import { WalletClient } from "../http/WalletClient.ts"
import { parseTime } from "../http/api/SchemaValues.ts"
import type { ApiKey, Scope } from "../stores/ApiKeyStore.ts"
import { AuditStore } from "../stores/AuditStore.ts"
import {
  type KeyRestriction,
  maxKeyCurrencies,
  maxKeyWallets,
  type MutationType,
  mutationTypes
} from "../domain/KeyRestriction.ts"
import * as Flags from "./Flags.ts"
import { storesLayer } from "../engine/EngineStores.ts"
import { loggingLayer } from "./Logging.ts"
import { printResult, reportFailure } from "./Output.ts"
import { loadServiceConfig } from "./ServiceConfig.ts"
import { clientLayer, findServicePlace, type RunningService } from "./ServicePlace.ts"

/** There is no key with this id. */
class KeyNotFound extends Schema.TaggedError<KeyNotFound>()("KeyNotFound", { id: Schema.String }) {
  override get message(): string {
    return `there is no key ${this.id}`
  }
}

/** The service refused, or did not answer. */
class KeysRefused extends Schema.TaggedError<KeysRefused>()("KeysRefused", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

interface Keys {
  readonly create: (
    name: string,
    scopes: ReadonlyArray<Scope>,
    bounds: KeyBounds
  ) => Effect.Effect<ApiKey & { readonly secret: string }, KeysRefused>
  readonly list: Effect.Effect<ReadonlyArray<ApiKey>, KeysRefused>
  readonly revoke: (id: string) => Effect.Effect<void, KeysRefused | KeyNotFound>
}

interface Failure {
  readonly message: string
  readonly detail?: string | undefined
}

const refused = (error: Failure): KeysRefused => new KeysRefused({ reason: error.detail ?? error.message })

/** What the service answered, and what to do where it lets nobody in with this key. */
const refusedBy =
  (service: RunningService, isEmbedded: boolean) =>
  (error: Failure & { readonly _tag: string }): KeysRefused => {
    const { reason } = refused(error)
    if (error._tag !== "Unauthorized" && error._tag !== "Forbidden") return new KeysRefused({ reason })
    const instead = isEmbedded ? ", or stop the service and repeat this: keys are then made in its folder itself" : ""
    return new KeysRefused({
      reason: `${service.baseUrl} has not let this in (${reason}): set WALLET_API_KEY to an admin key of its own${instead}`
    })
  }

const pageSize = 200

/** All pages; there are as many keys as people and programs, not more. */
const all = Effect.fnUntraced(function* <E>(
  page: (
    cursor: string | undefined
  ) => Effect.Effect<{ readonly data: ReadonlyArray<ApiKey>; readonly next: string | null }, E>
) {
  const keys: Array<ApiKey> = []
  let cursor: string | undefined
  for (;;) {
    const { data, next } = yield* page(cursor)
    keys.push(...data)
    if (next === null) return keys
    cursor = next
  }
})

/** In the audit list, as the service has them there. */
const acting = (audit: AuditStore["Service"], action: string, target: string, detail: string | null) =>
  Effect.flatMap(Clock.currentTimeMillis, (time) =>
    audit.add([{ time, count: 1, keyId: null, keyName: "command line", action, outcome: "done", target, detail }])
  )

const localKeys = Effect.map(Effect.all([ApiKeys, AuditStore]), ([keys, audit]): Keys => ({
  create: (name, scopes, bounds) =>
    keys.create(name, scopes, bounds).pipe(
      Effect.tap(({ key }) => acting(audit, "key.create", key.id, name)),
      Effect.map(({ key, secret }) => ({ ...key, secret: Redacted.value(secret) })),
      Effect.mapError(refused)
    ),
  list: all((cursor) => keys.list({ limit: pageSize, cursor })).pipe(Effect.mapError(refused)),
  revoke: (id) =>
    keys.remove(id).pipe(
      Effect.tap((removed) => (removed ? acting(audit, "key.revoke", id, null) : Effect.void)),
      Effect.mapError(refused),
      Effect.flatMap((removed) => (removed ? Effect.void : Effect.fail(new KeyNotFound({ id }))))
    )
}))

/** As a service shows it: what there is not is null there. */
const keyOf = ({ expiresAt, restriction, ...key }: typeof KeyJson.Type): ApiKey => ({
  ...key,
  ...(expiresAt === null ? {} : { expiresAt }),
  ...(restriction === null ? {} : { restriction })
})

/** Without what is not given. */
const sentRestriction = ({ currencies, limits, ownerId, types, walletIds }: KeyRestriction): Restriction => ({
  ...(walletIds === undefined ? {} : { walletIds }),
  ...(ownerId === undefined ? {} : { ownerId }),
  ...(currencies === undefined ? {} : { currencies }),
  ...(types === undefined ? {} : { types }),
  ...(limits === undefined
    ? {}
    : {
        limits: {
          ...(limits.perOperation === undefined ? {} : { perOperation: limits.perOperation }),
          ...(limits.perDay === undefined ? {} : { perDay: limits.perDay })
        }
      })
})

type Restriction = NonNullable<(typeof KeyJson.Type)["restriction"]>

const remoteKeys = (service: RunningService, isEmbedded: boolean) =>
  Effect.map(WalletClient, ({ keys }) => keysThrough(keys, refusedBy(service, isEmbedded)))

const keysThrough = (keys: WalletClient["Service"]["keys"], refused: ReturnType<typeof refusedBy>): Keys => ({
  create: (name, scopes, { expiresAt, restriction }) =>
    keys
      .create({
        query: {},
        payload: {
          name,
          scopes,
          ...(expiresAt === undefined ? {} : { expiresAt }),
          ...(restriction === undefined ? {} : { restriction: sentRestriction(restriction) })
        }
      })
      .pipe(
        Effect.map(({ secret, ...key }) => ({ ...keyOf(key), secret })),
        Effect.mapError(refused)
      ),
  list: all((cursor) =>
    Effect.map(
      keys.list({ query: { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) } }),
      ({ data, next }) => ({ data: data.map(keyOf), next })
    )
  ).pipe(Effect.mapError(refused)),
  revoke: (id) =>
    keys.delete({ params: { id }, query: {} }).pipe(
      Effect.asVoid,
      Effect.catchTag("NotFound", () => Effect.fail(new KeyNotFound({ id }))),
      Effect.mapError((error) => (error instanceof KeyNotFound ? error : refused(error)))
    )
})

interface CommonOptions {
  readonly json: boolean
  readonly url: Option.Option<URL>
}

/** Through the service that has the stores open, or on the stores themselves. */
const withKeys = <A, E>(options: CommonOptions, use: (keys: Keys) => Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const config = yield* loadServiceConfig
    const place = yield* findServicePlace(config, options.url)
    return yield* place._tag === "Service"
      ? Effect.flatMap(remoteKeys(place.service, Option.isNone(options.url)), use).pipe(
          Effect.provide(clientLayer(place.service))
        )
      : Effect.flatMap(localKeys, use).pipe(
          Effect.provide(ApiKeys.layer),
          Effect.provide(storesLayer(config.engine.stores)),
          Effect.provide(loggingLayer(config))
        )
  })

const keyLine = ({ createdAt, expiresAt, id, name, restriction, scopes }: KeyDocument): string =>
  [
    `${id}  ${createdAt}  ${scopes.join(",")}  ${name}`,
    ...(expiresAt === null ? [] : [`expires ${expiresAt}`]),
    ...(restriction === null ? [] : [`restricted to ${JSON.stringify(restriction)}`])
  ].join("  ")

const keyName = Argument.String("name").pipe(
  Argument.withDescription("Who uses it: shown in lists and recorded with every command"),
  Argument.withSchema(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64)))
)

const scopes = Flag.Literals("scope", ["wallets:read", "wallets:write", "admin"]).pipe(
  Flag.withDescription("What it may do; may be given several times"),
  Flag.atLeast(1)
)

const keyId = Argument.String("id").pipe(
  Argument.withDescription("As shown by list"),
  Argument.filter(isId, (id) => `${JSON.stringify(id)} is not an id of a key`)
)

const id = Schema.String.check(Schema.makeFilter(isId, { expected: "1 to 64 of A-Z, a-z, 0-9, _ and -" }))

const minorUnits = (name: string, what: string) =>
  Flag.String(name).pipe(
    Flag.withDescription(what),
    Flag.filter(
      (text) => amountPattern.test(text),
      (text) => `${JSON.stringify(text)} is not an amount of minor units`
    ),
    Flag.map(BigInt),
    Flag.optional
  )

const boundFlags = {
  expiresAt: Flag.String("expires-at").pipe(
    Flag.withDescription("From then on it opens nothing: a time like 2027-01-31T00:00:00Z"),
    Flag.filter(
      (text) => parseTime(text) !== undefined,
      (text) => `${JSON.stringify(text)} is not a time like 2027-01-31T00:00:00Z`
    ),
    Flag.map(parseTime),
    Flag.optional
  ),
  walletIds: Flag.String("wallet-id").pipe(
    Flag.withSchema(id),
    Flag.withDescription("A wallet that it sees and uses; of up to 100"),
    Flag.between(0, maxKeyWallets)
  ),
  ownerId: Flag.String("owner-id").pipe(
    Flag.withSchema(id),
    Flag.withDescription("Whose wallets it sees and uses"),
    Flag.optional
  ),
  currencies: Flag.String("currency").pipe(
    Flag.withDescription("Of which currency the wallets are that it sees and uses; of up to 20"),
    Flag.filter(isCurrency, (text) => `${JSON.stringify(text)} is not a currency`),
    Flag.between(0, maxKeyCurrencies)
  ),
  types: Flag.Literals("type", mutationTypes).pipe(
    Flag.withDescription("A kind of mutation that it may ask for; may be given several times"),
    Flag.between(0, mutationTypes.length)
  ),
  perOperation: minorUnits("per-operation", "What may leave a wallet at once by it, in minor units"),
  perDay: minorUnits("per-day", "What may leave a wallet in a UTC day by it, in minor units")
}

interface BoundOptions {
  readonly expiresAt: Option.Option<number | undefined>
  readonly walletIds: ReadonlyArray<string>
  readonly ownerId: Option.Option<string>
  readonly currencies: ReadonlyArray<string>
  readonly types: ReadonlyArray<MutationType>
  readonly perOperation: Option.Option<bigint>
  readonly perDay: Option.Option<bigint>
}

/** `undefined` for what is not asked for: to restrict to nothing is not to restrict. */
const listOf = <A>(values: ReadonlyArray<A>): ReadonlyArray<A> | undefined =>
  values.length === 0 ? undefined : [...new Set(values)]

class AdminRestricted extends Schema.TaggedError<AdminRestricted>()("AdminRestricted", {}) {
  override get message(): string {
    return "a key with the scope admin cannot be restricted"
  }
}

class ExpiryPassed extends Schema.TaggedError<ExpiryPassed>()("ExpiryPassed", {}) {
  override get message(): string {
    return "--expires-at is not in the future"
  }
}

const boundsOf = Effect.fnUntraced(function* (options: BoundOptions, scopes: ReadonlyArray<Scope>) {
  const [perOperation, perDay] = [Option.getOrUndefined(options.perOperation), Option.getOrUndefined(options.perDay)]
  const given: KeyRestriction = {
    walletIds: listOf(options.walletIds),
    ownerId: Option.getOrUndefined(options.ownerId),
    currencies: listOf(options.currencies),
    types: listOf(options.types),
    limits: (perOperation ?? perDay) === undefined ? undefined : { perOperation, perDay }
  }
  const isRestricted = Object.values(given).some((value) => value !== undefined)
  if (isRestricted && scopes.includes("admin")) return yield* new AdminRestricted()
  const expiresAt = Option.getOrUndefined(options.expiresAt)
  if (expiresAt !== undefined && expiresAt <= (yield* Clock.currentTimeMillis)) return yield* new ExpiryPassed()
  return { expiresAt, restriction: isRestricted ? given : undefined }
})

const common = { url: Flags.url, json: Flags.json }

const create = Command.make("create", { name: keyName, scopes, ...boundFlags, ...common }, (options) =>
  reportFailure(options.json)(
    Effect.gen(function* () {
      const asked = [...new Set(options.scopes)]
      const bounds = yield* boundsOf(options, asked)
      const { secret, ...key } = yield* withKeys(options, (keys) => keys.create(options.name, asked, bounds))
      yield* printResult(options.json, { ...keyJson(key), secret }, [
        keyLine(keyJson(key)),
        `secret, shown this once: ${secret}`
      ])
    })
  )
).pipe(Command.withDescription("Make a key and print its secret, the only time it is seen"))

const list = Command.make("list", common, (options) =>
  reportFailure(options.json)(
    Effect.flatMap(
      withKeys(options, (keys) => keys.list),
      (keys) => {
        const documents = keys.map(keyJson)
        return printResult(options.json, { data: documents }, documents.map(keyLine))
      }
    )
  )
).pipe(Command.withDescription("List the keys, newest first, without secrets"))

const revoke = Command.make("revoke", { id: keyId, ...common }, (options) =>
  reportFailure(options.json)(
    Effect.andThen(
      withKeys(options, (keys) => keys.revoke(options.id)),
      printResult(options.json, { revoked: options.id }, [`revoked ${options.id}; every node refuses it within 5 s`])
    )
  )
).pipe(Command.withDescription("Revoke a key"))

export const keysCommand = Command.make("keys").pipe(
  Command.withDescription("Make, list and revoke API keys"),
  Command.withSubcommands([create, list, revoke])
)
