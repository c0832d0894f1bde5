/**
 * Why commands of a wallet were reversed since, behind a log of its own. The reversal has a
 * key of its own, made of the version that it reverses, and is found as every key is.
 */
import * as Effect from "effect/Effect"
import type { CommandError } from "../actors/EngineError.ts"
import type { Seen } from "../actors/Mailbox.ts"
import { WalletHistory } from "../actors/WalletHistory.ts"
import type { RecordedEvent } from "../domain/Event.ts"
import { Persistence } from "../stores/Persistence.ts"

/** So many events after a command its reversal is looked for in the log: one page of it. */
const nearEvents = 500

export const makeReversalReasons = Effect.gen(function* () {
  const history = yield* WalletHistory
  const persistence = yield* Persistence

  /** By the version of the command's last event; those that were not reversed are not in it. */
  return Effect.fnUntraced(function* (
    walletId: string,
    asked: ReadonlyArray<Seen>
  ): Effect.fn.Return<ReadonlyMap<number, string>, CommandError> {
    const reasons = new Map<number, string>()
    const look = ({ event }: RecordedEvent) => {
      if (event._tag === "OperationReversed") reasons.set(event.reversedVersion, event.reason)
    }
    const upTo = Math.max(...asked.map(({ current }) => current.version))
    // A retry comes soon as a rule, and needs no Persistence then, which may be just what is away.
    let from = upTo
    const far: Array<number> = []
    for (const { version } of asked) {
      if (upTo - version <= nearEvents) from = Math.min(from, version)
      else far.push(version)
    }
    if (far.length > 0) {
      const keys = far.map((version) => `e:reverse:${version}`)
      const { persistedVersion, seen } = (yield* persistence.findKeys([{ walletId, keys }]))[0]!
      const versions = seen.map(({ version }) => version).sort((a, b) => a - b)
      for (const events of (yield* history.commandsAt(walletId, versions)).values()) events.forEach(look)
      // What Persistence does not have yet the log tells.
      if (persistedVersion < upTo) from = Math.min(from, Math.max(Math.min(...far), persistedVersion))
    }
    yield* history.scan(walletId, { after: from, upTo }, look)
    return reasons
  })
})
