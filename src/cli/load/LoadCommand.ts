/** `wallet load`: drives a service, or the engine of this process, measures how it answers and checks what it kept. */
import * as Effect from "effect/Effect"
import * as Command from "effect/cli/Command"
import { reportFailure } from "../Output.ts"
import { loadFlags } from "./LoadFlags.ts"

/** Loaded when it is asked for: no other command needs it. */
const loadRun = Effect.promise(() => import("./LoadRun.ts"))

export const loadCommand = Command.make("load", loadFlags, (given) =>
  reportFailure(given.json, ({ _tag }) => (_tag === "LoadFlagsWrong" ? 2 : 1))(
    Effect.flatMap(loadRun, ({ load }) => load(given))
  )
).pipe(
  Command.withShortDescription("Drive a service, measure how it answers and check what it kept"),
  Command.withDescription(
    "Drive a running service, or with --library an engine of this process, with a mix of operations over wallets made " +
      "for it: at a rate (--rate, an open loop, latencies from the intended start) or by callers that wait for their " +
      "answers (--callers, a closed loop). Then check that what was accepted is there once and that the money adds up. " +
      "The wallets stay: use an installation for trials. Exit codes: 0; 1 it could not be run; 2 the check has failed, or " +
      "it was called wrongly; 3 a threshold was missed. docs/LOAD.md has more."
  )
)
