/** A seed that broke a law, for a reader: which laws, in which setting, what happened before, and how to see it again. */
import type { SimulationResult } from "./Simulation.ts"

/** The end of the history that matters, at most so many lines. */
const linesMost = 250

/** Lines after the last answer that was wrong. */
const linesAfter = 10

const walletName = /\bw\d+\b/g

const walletsIn = (text: string): ReadonlyArray<string> => text.match(walletName) ?? []

/** `→ node1 17 [0-3] …` asks, `← node1 17 [0-3] …` answers: an answer names no wallet. */
const attemptOf = (line: string): string | undefined => /[→←] node\d+ (\d+) \[/.exec(line)?.[1]

/** Lines about those wallets, and those about none at all: starts, deaths, outages. */
const concerning = (lines: ReadonlyArray<string>, wallets: ReadonlySet<string>): ReadonlyArray<string> => {
  const attempts = new Set<string>()
  return lines.filter((line) => {
    const attempt = attemptOf(line)
    if (attempt !== undefined && attempts.has(attempt)) return true
    const named = walletsIn(line)
    const concerns = named.some((wallet) => wallets.has(wallet))
    if (attempt === undefined) return concerns || named.length === 0
    if (concerns) attempts.add(attempt)
    return concerns
  })
}

/** Up to shortly after the last answer that a law names; the whole of it if none is named. */
const untilWrong = (lines: ReadonlyArray<string>, violations: ReadonlyArray<string>): ReadonlyArray<string> => {
  const attempts = new Set(violations.flatMap((law) => /^attempt (\d+) /.exec(law)?.[1] ?? []))
  const last = lines.findLastIndex((line) => line.includes("←") && attempts.has(attemptOf(line) ?? ""))
  return last < 0 ? lines : lines.slice(0, last + linesAfter)
}

const settingOf = ({ plan: { clients, separate, wallets } }: SimulationResult): string =>
  `${separate ? "log and Persistence apart" : "one database"}, ${wallets} wallets, ${clients} clients`

/** Empty for a seed that broke none. */
export const failureLines = (result: SimulationResult): ReadonlyArray<string> => {
  const { lines, seed, violations } = result
  if (violations.length === 0) return []
  const wallets = new Set(violations.flatMap(walletsIn))
  const told = untilWrong(wallets.size === 0 ? lines : concerning(lines, wallets), violations)
  const cut = told.length > linesMost ? [`         … ${told.length - linesMost} lines before`] : []
  return [
    `seed ${seed} broke a law (${settingOf(result)}):`,
    ...violations.map((law) => `  ${law}`),
    "",
    "     ms who      what",
    ...cut,
    ...told.slice(-linesMost),
    "",
    `again: npm run simulate -- --seed ${seed} --history`
  ]
}
