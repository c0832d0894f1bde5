import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { startPostgres } from "./servers/PostgresServer.ts"
NodeRuntime.runMain(Effect.scoped(Effect.gen(function* () { const p = yield* startPostgres({ fsync: true }); console.log(Redacted.value(p.url)); yield* Effect.never })) as never)
