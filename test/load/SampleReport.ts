/** A report of a load that never was. */
import { type LoadReport, reportOf } from "../../src/load/LoadReport.ts"
import { accepted, notAccepted } from "../../src/load/LoadTarget.ts"
import { judgeFailure } from "../../src/load/Outcome.ts"
import { Tally } from "../../src/load/Tally.ts"
import { phase } from "./LoadOptionsOf.ts"

/** A second in which a hundred credits took 5 ms each, and one of them was refused. */
export const sampleReport = (): LoadReport => {
  const tally = new Tally([phase("load", 1_000, 100)])
  for (let due = 0; due < 1_000; due += 10) {
    tally.sent(due, due)
    const reply = due === 0 ? notAccepted("MailboxFull", judgeFailure("MailboxFull")) : accepted("persisted", "made")
    tally.completed(
      { kind: "credit", wallet: 0, second: 0, third: 0, command: 0 },
      { due, sentAt: due, now: due + 5 },
      reply
    )
  }
  return reportOf({ loop: "open", run: "r<1>", seed: "s&1", tally, hottest: [], check: { ok: null } })
}
