/** What is there after a soak, held against what was told: wallets by the API and by search, sums by search, `wallet verify`. */
import * as Effect from "effect/Effect"
import type { VerifyDocument } from "../../src/cli/tools/VerifyDocument.ts"
import { differenceOf, type Ledger, type SeenWallet, type TransactionKind } from "./Ledger.ts"
import { ask, type SoakRig, tool } from "./SoakRig.ts"

/** That are told. */
const keptProblems = 10

const callers = 8

const bounded = (what: string, found: ReadonlyArray<string>): ReadonlyArray<string> =>
  found.length <= keptProblems
    ? found
    : [...found.slice(0, keptProblems), `and ${found.length - keptProblems} more ${what}`]

/** By their owners: what money says. */
const auditWallets = (rig: SoakRig, { accounts }: Ledger) =>
  Effect.map(
    Effect.forEach(
      accounts,
      (account) =>
        Effect.map(ask(rig, `/v1/wallets/${account.id}`), ({ body, status }) =>
          differenceOf(account, status === 200 ? (body as SeenWallet) : undefined)
        ),
      { concurrency: callers }
    ),
    (found) =>
      bounded(
        "wallets",
        found.filter((one) => one !== undefined)
      )
  )

/** All pages of an owner's wallets, as search has them. */
const searched = Effect.fnUntraced(function* (rig: SoakRig, ownerId: string) {
  const found = new Map<string, SeenWallet>()
  let cursor: string | null = null
  do {
    const more: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`
    const { body } = yield* ask(rig, `/v1/wallets?ownerId=${ownerId}&limit=200${more}`)
    const { data = [], next = null } = body as {
      readonly data?: ReadonlyArray<SeenWallet>
      readonly next?: string | null
    }
    for (const wallet of data) found.set(wallet.id, wallet)
    cursor = next
  } while (cursor !== null)
  return found
})

interface Stats {
  readonly transactions: ReadonlyArray<{ readonly type: TransactionKind; readonly count: number; readonly sum: string }>
}

const auditSearch = Effect.fnUntraced(function* (rig: SoakRig, { accounts, transactions }: Ledger) {
  const problems: Array<string> = []
  const seen = new Map<string, { count: number; sum: bigint }>()
  for (const [ownerId, own] of Map.groupBy(accounts, (account) => account.ownerId)) {
    const found = yield* searched(rig, ownerId)
    for (const account of own) {
      const difference = differenceOf(account, found.get(account.id))
      if (difference !== undefined) problems.push(`in search ${difference}`)
    }
    const { body, status } = yield* ask(rig, `/v1/stats?ownerId=${ownerId}`)
    if (status !== 200) problems.push(`the statistics of ${ownerId} were answered ${status} ${JSON.stringify(body)}`)
    else {
      for (const { count, sum, type } of (body as Stats).transactions) {
        const before = seen.get(type) ?? { count: 0, sum: 0n }
        seen.set(type, { count: before.count + count, sum: before.sum + BigInt(sum) })
      }
    }
  }
  for (const [type, told] of Object.entries(transactions)) {
    const found = seen.get(type) ?? { count: 0, sum: 0n }
    if (found.count === told.count && found.sum === told.sum) continue
    problems.push(`search has ${found.count} × ${type} of ${found.sum}, told were ${told.count} of ${told.sum}`)
  }
  return bounded("differences in search", problems)
})

export interface Verified {
  readonly wallets: number
  readonly events: number
  readonly documents: number
  readonly differences: number
  readonly deadLetters: number
  readonly millis: number
}

const nothing: Verified = { wallets: 0, events: 0, documents: 0, differences: 0, deadLetters: 0, millis: 0 }

/** Beside the running service, which has nothing to do. */
const verified = Effect.fnUntraced(function* (rig: SoakRig, limitMillis: number) {
  const finished = yield* tool(rig, ["verify", "--json"], limitMillis)
  if (finished === undefined) return { verified: nothing, problems: ["wallet verify was not done in time"] }
  const { code, stderr, stdout } = finished
  if (code !== 0 && code !== 1) {
    return { verified: nothing, problems: [`wallet verify ended with ${code}: ${stderr.slice(-500)}`] }
  }
  const report = JSON.parse(stdout) as VerifyDocument
  const { deadLetters, differenceCount, differences, documents, durationMillis, events, wallets, warnings } = report
  return {
    verified: { wallets, events, documents, differences: differenceCount, deadLetters, millis: durationMillis },
    problems: [
      ...(differenceCount > 0 ? [`verify found ${differenceCount} differences`] : []),
      ...bounded(
        "differences",
        differences.map(
          ({ expected, found, store, walletId, what }) =>
            `${walletId} ${store} ${what}: expected ${expected}, found ${found}`
        )
      ),
      ...(deadLetters > 0 ? [`${deadLetters} dead letters are left`] : []),
      ...warnings
    ]
  }
})

/** Nothing moves any more. */
export const auditSoak = Effect.fnUntraced(function* (rig: SoakRig, ledger: Ledger, limitMillis: number) {
  const wallets = yield* auditWallets(rig, ledger)
  const search = yield* auditSearch(rig, ledger)
  const report = yield* verified(rig, limitMillis)
  const events = report.verified.events
  return {
    verified: report.verified,
    problems: [
      ...wallets,
      ...search,
      ...report.problems,
      ...(events === ledger.events ? [] : [`the log has ${events} events, told were ${ledger.events}`])
    ]
  }
})
