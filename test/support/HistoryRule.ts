/**
 * A user's rule, and the person who minds it: what the rule refuses and nobody may reverse stops
 * its wallet by name, until that person has the rule let it pass.
 */
import type { WalletEvent } from "../../src/domain/Event.ts"
import type { UserRule } from "../../src/stores/memory/MemoryDatabase.ts"
import type { Node } from "./Installation.ts"

export interface HistoryRule {
  readonly rule: UserRule
  /** Looks at what has stopped on this node. */
  readonly letHistoryPass: (node: Node) => void
}

export const historyRule = (refuses: (event: WalletEvent) => boolean): HistoryRule => {
  const letPass = new Set<string>()
  return {
    rule: ({ events, walletId }) =>
      events.some(({ event, version }) => refuses(event) && !letPass.has(`${walletId} ${version}`))
        ? "unlucky"
        : undefined,
    letHistoryPass: (node) => {
      for (const { reason, walletId } of node.pipeline.load().blocked) {
        const version = /refuses event (\d+) .* which may have been persisted before/.exec(reason)?.[1]
        if (version !== undefined) letPass.add(`${walletId} ${version}`)
      }
    }
  }
}
