/** A seed that broke a law, for a reader: which laws, in which setting, what happened around it, and how to see it again. */
import type { SimulationResult } from "./Simulation.ts"

const walletName = /\bw\d+\b/g

const walletsIn = (text: string): ReadonlyArray<string> => text.match(walletName) ?? []

/** Lines about those wallets, and those about no wallet at all: starts, deaths, outages. */
const concerning = (lines: ReadonlyArray<string>, wallets: ReadonlySet<string>): ReadonlyArray<string> =>
  wallets.size === 0
    ? lines
    : lines.filter((line) => {
        const named = walletsIn(line)
        return named.length === 0 || named.some((wallet) => wallets.has(wallet))
      })

const settingOf = ({ weather: { clients, separate, wallets } }: SimulationResult): string =>
  `${separate ? "log and Persistence apart" : "one database"}, ${wallets} wallets, ${clients} clients`

/** Empty for a seed that broke none. `all`: the whole history, not only that of the wallets concerned. */
export const failureLines = (result: SimulationResult, all = false): ReadonlyArray<string> => {
  const { lines, seed, violations } = result
  if (violations.length === 0) return []
  const wallets = new Set(all ? [] : violations.flatMap(walletsIn))
  return [
    `seed ${seed} broke a law (${settingOf(result)}):`,
    ...violations.map((law) => `  ${law}`),
    "",
    "     ms who      what",
    ...concerning(lines, wallets),
    "",
    `again: npm run simulate -- --seed ${seed} --history`
  ]
}
