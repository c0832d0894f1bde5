/** Which rules of a user's are found not to let the engine's own facts pass, and that trying them disturbs nobody. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { verify } from "../../../src/engine/verify/Verify.ts"
import { credit, placeHold, SampleWallet, send } from "../../../src/testing/contract/SampleWallet.ts"
import { EventStore } from "../../../src/stores/EventStore.ts"
import { Persistence } from "../../../src/stores/Persistence.ts"
import { SqlMigrator } from "../../../src/stores/sql/SqlMigrator.ts"
import * as SqlStores from "../../../src/stores/sql/SqlStores.ts"
import { layerEmbedded } from "../../support/embedded.ts"
import { installDocumentedRules, runScript } from "../../support/documentedRules.ts"
import { postgresPresent, TestPostgres } from "../../support/postgres.ts"

const database = SqlMigrator.layer.pipe(Layer.provideMerge(TestPostgres.layerDatabase()))
const onPostgres = SqlStores.layer().pipe(Layer.provideMerge(database))

const onPglite = SqlStores.layer().pipe(Layer.provideMerge(SqlMigrator.layer), Layer.provideMerge(layerEmbedded))

const trial = Effect.flatMap(Persistence, ({ tryRules }) => tryRules!)

/** Table, rule and what was tried of each fault. */
const found = Effect.map(trial, ({ faults, untried }) => {
  assert.isUndefined(untried)
  return faults.map(({ rule, table, tried }) => `${rule} on ${table}: ${tried}`)
})

const openWallet = Effect.gen(function* () {
  const sample = new SampleWallet()
  yield* (yield* EventStore).append([
    sample.commit(sample.creation(), credit(50n), placeHold("h", 1n), send("t", "elsewhere", 1n))
  ])
  return sample
})

const trigger = (name: string, on: string, condition: string, body = "raise exception 'no';") => `
  create function ${name}() returns trigger language plpgsql as $f$ begin if ${condition} then ${body} end if;
    return new; end $f$;
  create trigger ${name} ${on} for each row execute function ${name}();`

const eachEvent = "before insert on events"
const isBack = "new.type in ('TransferReversed', 'OperationReversed')"

/** What is found of a rule, by what each fault begins with. */
const cases: ReadonlyArray<readonly [what: string, script: string, ...faults: ReadonlyArray<string>]> = [
  [
    "a cap on whatever has an amount",
    trigger("cap", eachEvent, "new.amount > 1000000"),
    "trigger cap on events: TransferReversed of 1000000000000000 on a "
  ],
  [
    "a cap by a constraint",
    "alter table events add constraint small check (amount <= 1000000)",
    "constraint small on events: TransferReversed of 1000000000000000 on a "
  ],
  [
    "a cap on the balance after",
    trigger("cap", eachEvent, "new.balance_after > 1000000"),
    "trigger cap on events: TransferReversed of 1000000000000000 on a "
  ],
  [
    "a least amount",
    trigger("lowest", eachEvent, "new.amount < 100"),
    "trigger lowest on events: TransferReversed of 1 on a "
  ],
  [
    "a closed Sunday",
    trigger("closed", eachEvent, "new.amount is not null and extract(isodow from new.time) = 7"),
    "trigger closed on events: TransferReversed of 1 on a Sunday at 03:00 UTC"
  ],
  [
    "a least amount that keeps rows out without a word",
    trigger("silent", eachEvent, "new.amount < 100", "return null;"),
    "trigger silent on events: TransferReversed of 1 on a "
  ],
  [
    "hours of business",
    trigger("late", eachEvent, "extract(hour from new.time) not between 8 and 18"),
    "trigger late on events: TransferReversed of 1 on a "
  ],
  [
    "a compensation",
    trigger("never", eachEvent, "new.type = 'OperationReversed'"),
    "trigger never on events: OperationReversed of 1 on a "
  ],
  [
    "a transfer that comes back",
    "alter table events add constraint no_way check (type <> 'TransferReversed') not valid",
    "constraint no_way on events: TransferReversed of 1 on a "
  ],
  [
    "a reference that must be there",
    trigger("say_why", eachEvent, "new.reference is null"),
    "trigger say_why on events: TransferReversed of 1 on a "
  ],
  [
    "the end of a hold",
    trigger("no_end", eachEvent, "new.type = 'HoldExpired'"),
    "trigger no_end on events: HoldExpired on a "
  ],
  [
    "a settlement",
    trigger("open", eachEvent, "new.type = 'TransferSettled'"),
    "trigger open on events: TransferSettled on a "
  ],
  [
    "the refusal of a transfer",
    trigger("open", eachEvent, "new.type = 'TransferRefused'"),
    "trigger open on events: TransferRefused on a "
  ],
  [
    "a trigger that fails",
    trigger("broken", eachEvent, isBack, "perform 1 / 0;"),
    "trigger broken on events: TransferReversed of 1 on a "
  ],
  [
    "a constraint trigger that waits for the commit",
    "create function late() returns trigger language plpgsql as $f$ begin raise exception 'no'; end $f$; create constraint trigger late after insert on events deferrable initially deferred for each row execute function late()",
    "trigger late on events: TransferReversed of 1 on a "
  ],
  [
    "once a statement",
    "create function many() returns trigger language plpgsql as $f$ begin if exists (select from added where amount > 1000) then raise exception 'no'; end if; return null; end $f$; create trigger many after insert on events referencing new table as added for each statement execute function many()",
    "trigger many on events: TransferReversed of 1000000000000000 on a "
  ],
  [
    "too many in one statement",
    "create function many() returns trigger language plpgsql as $f$ begin if (select count(*) from added) > 9 then raise exception 'no'; end if; return null; end $f$; create trigger many after insert on events referencing new table as added for each statement execute function many()",
    "trigger many on events: 196 facts of the engine's own in one statement"
  ],
  [
    "two rules",
    `${trigger("lowest", eachEvent, "new.amount < 100")}${trigger("most", eachEvent, "new.amount > 100")}`,
    "trigger lowest on events: TransferReversed of 1 on a ",
    "trigger most on events: TransferReversed of 1000000000000000 on a "
  ],
  [
    "by a function of functions",
    `create function say_no() returns void language plpgsql as $f$ begin raise exception 'no'; end $f$; ${trigger("outer_one", eachEvent, isBack, "perform say_no();")}${trigger("say_nothing", eachEvent, "false")}`,
    "trigger outer_one on events: TransferReversed of 1 on a "
  ],
  [
    "a balance by a constraint",
    "alter table wallets add constraint poor check (balance <= 1000000)",
    "constraint poor on wallets: a wallet that a reversal gives back "
  ],
  [
    "a wallet that changes",
    trigger("never", "before update on wallets", "true"),
    "trigger never on wallets: a wallet whose version alone moves"
  ],
  [
    "a hold that changes",
    trigger("never", "before update on holds", "true"),
    "trigger never on holds: a hold that expires"
  ],
  [
    "a hold that comes back",
    trigger("never", "before update on holds", "new.status = 'active'"),
    "trigger never on holds: a hold that a reversal restores"
  ],
  [
    "a transfer that changes",
    trigger("never", "before update on transfers", "true"),
    "trigger never on transfers: a transfer that is settled"
  ],
  [
    "a transfer that is reversed",
    trigger("never", "before insert or update on transfers", "new.amount > 1000 or new.status = 'reversed'"),
    "trigger never on transfers: a transfer that is reversed"
  ]
]

const harmless: ReadonlyArray<readonly [what: string, script: string]> = [
  [
    "about the wallets of transfers",
    `alter table events add constraint known foreign key (counterparty) references wallets not valid;
      alter table transfers add constraint known_too foreign key (to_wallet_id) references wallets not valid;
      ${trigger("met", eachEvent, "new.counterparty is not null and not exists (select from wallets where id = new.counterparty)")}`
  ],
  ["by movement type", trigger("cap", eachEvent, "new.type = 'WalletDebited' and new.amount > 10")],
  ["for `bigint` alone", trigger("cap", eachEvent, "new.amount::bigint > 9000000000000000000 or new.version::int < 0")],
  ["about who opens a wallet", trigger("known", "before insert on wallets", "new.owner_id not like 'owner%'")],
  [
    "about the size of a hold and of a transfer",
    `${trigger("a", "before insert on holds", "new.amount > 5")}${trigger("b", "before insert on transfers", "new.amount > 5")}`
  ],
  ["that is switched off", `${trigger("off", eachEvent, "true")} alter table events disable trigger off`],
  [
    "about wallets that are there",
    trigger("orphan", eachEvent, "not exists (select from wallets where id = new.wallet_id)")
  ],
  ["about times that go on", trigger("late", eachEvent, "new.time > now() + interval '1 minute'")],
  [
    "that only writes something down",
    `create table seen (id bigint generated always as identity, type text); ${trigger("see", eachEvent, "true", "insert into seen (type) values (new.type);")}`
  ]
]

const rows = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* sql`select (select json_agg(e order by wallet_id, version)::text from events e) as events,
    (select json_agg(w order by id)::text from wallets w) as wallets, (select json_agg(h)::text from holds h) as holds,
    (select json_agg(t)::text from transfers t) as transfers, (select position from log) as position`
})

/** One database for all: a rule is rolled back with what it was tried by. */
const withRule = <A, E, R>(script: string, run: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    let value: A | undefined
    const tried = Effect.gen(function* () {
      yield* runScript(script)
      value = yield* run
      return yield* Effect.fail("done")
    })
    const end = yield* Effect.flip(sql.withTransaction(tried))
    return end === "done" ? value! : yield* Effect.die(end)
  })

describe.skipIf(!postgresPresent)("rules of a user's that refuse the engine's own facts", () => {
  it.live("are found, by name", () =>
    Effect.gen(function* () {
      yield* openWallet
      const before = yield* rows
      for (const [what, script, ...expected] of cases) {
        const faults = yield* withRule(script, found)
        assert.lengthOf(faults, expected.length, `${what}: ${faults.join("; ")}`)
        for (const [index, fault] of faults.entries())
          assert.isTrue(fault.startsWith(expected[index]!), `${what}: ${fault}`)
      }
      assert.deepStrictEqual(yield* rows, before)
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("are not those that do not", () =>
    Effect.gen(function* () {
      yield* openWallet
      const before = yield* rows
      assert.deepStrictEqual(yield* found, [])
      for (const [what, script] of harmless) assert.deepStrictEqual(yield* withRule(script, found), [], what)
      assert.deepStrictEqual(yield* rows, before)
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("are not the documented ones, with wallets or without", () =>
    Effect.gen(function* () {
      yield* installDocumentedRules
      assert.deepStrictEqual(yield* found, [])
      yield* openWallet
      assert.deepStrictEqual(yield* found, [])
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("are found where there is no wallet yet", () =>
    Effect.gen(function* () {
      const [fault] = yield* withRule(cases[0]![1], found)
      assert.include(fault, "trigger cap on events")
      for (const [what, script] of harmless.filter((one) => !one[0].includes("who opens"))) {
        assert.deepStrictEqual(yield* withRule(script, found), [], what)
      }
      const { faults, untried } = yield* withRule(trigger("known", "before insert on wallets", "true"), trial)
      assert.deepStrictEqual([faults, untried], [[], "there is no wallet to try them with"])
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("are warned of by verify, with what they say, and are no difference", () =>
    Effect.gen(function* () {
      yield* openWallet
      const quiet = yield* verify({ lagMillis: 0 })
      assert.deepStrictEqual(quiet.warnings, [])
      yield* runScript(trigger("our_rule", eachEvent, isBack, "raise exception 'nothing comes back';"))
      const report = yield* verify({ lagMillis: 0 })
      assert.strictEqual(report.differenceCount, quiet.differenceCount)
      assert.lengthOf(report.warnings, 1)
      assert.match(
        report.warnings[0]!,
        /^the trigger our_rule on events refuses TransferReversed of 1 on a \w+ at 03:00 UTC: nothing comes back \(SQLSTATE P0001\)\. /
      )
    }).pipe(Effect.provide(onPostgres))
  )
})

describe.skipIf(!postgresPresent)("trying the rules", () => {
  it.live("goes on beside appends, and neither holds the other up", () =>
    Effect.gen(function* () {
      const log = yield* EventStore
      const sample = yield* openWallet
      yield* runScript(trigger("sunday", eachEvent, `${isBack} and extract(isodow from new.time) = 7`))
      const trials = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 3 }, () => Effect.repeat(found, { times: 3 })),
          { concurrency: 3 }
        )
      )
      let appended = 0
      while (trials.pollUnsafe() === undefined || appended < 10) {
        assert.strictEqual((yield* log.append([sample.commit(credit(1n))]))[0]?._tag, "Appended")
        appended += 1
      }
      for (const faults of yield* Fiber.join(trials)) assert.include(faults[0], "on a Sunday")
      assert.strictEqual((yield* log.head).position, BigInt(4 + appended))
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("gives a lock up that somebody has, and says that it did", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const log = yield* EventStore
      const sample = yield* openWallet
      yield* runScript(trigger("one_by_one", eachEvent, isBack, "perform pg_advisory_xact_lock(7);"))
      const locked = yield* Deferred.make<void>()
      const holder = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.andThen(
            sql`select pg_advisory_xact_lock(7)`,
            Effect.andThen(Deferred.succeed(locked, undefined), Effect.never)
          )
        )
      )
      yield* Deferred.await(locked)
      const { faults, untried } = yield* trial
      assert.deepStrictEqual(faults, [])
      assert.include(untried, "lock timeout")
      assert.include((yield* verify()).warnings[0], "rules of your own on the tables were not tried: ")
      yield* log.append([sample.commit(credit(1n))])
      yield* Fiber.interrupt(holder)
      assert.deepStrictEqual(yield* found, [])
    }).pipe(Effect.provide(onPostgres))
  )

  it.live("is left alone by a role that may only read", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* openWallet
      yield* runScript(trigger("never", eachEvent, "true"))
      yield* runScript(`create role trial_reader; grant usage on schema wallet to trial_reader;
        grant select on all tables in schema wallet to trial_reader`)
      const asReader = sql.withTransaction(Effect.andThen(sql`set local role trial_reader`, trial))
      assert.deepStrictEqual(yield* asReader, { faults: [], untried: "this role may not write the tables" })
      yield* runScript("drop owned by trial_reader; drop role trial_reader")
    }).pipe(Effect.provide(onPostgres))
  )
})

describe("trying the rules in PGlite", () => {
  it.live("finds the same", () =>
    Effect.gen(function* () {
      yield* openWallet
      assert.deepStrictEqual(yield* found, [])
      yield* runScript(trigger("sunday", eachEvent, `${isBack} and extract(isodow from new.time) = 7`))
      assert.deepStrictEqual(yield* found, ["trigger sunday on events: TransferReversed of 1 on a Sunday at 03:00 UTC"])
    }).pipe(Effect.provide(onPglite))
  )
})
