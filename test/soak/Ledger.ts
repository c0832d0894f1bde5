/**
 * What a load has been told, in sums: of each wallet what it must have by now. Commands themselves are not
 * kept, so that hours of them fit into memory. Every command of the load can be done and is sent until somebody says
 * that it was; so afterwards each wallet must have exactly what is here, and a rejection is a fault.
 */

export type SoakKind = "credit" | "debit" | "hold" | "capture" | "release" | "transfer"

/** A hold that nobody has captured or released. */
export interface OpenHold {
  readonly id: string
  readonly amount: bigint
}

export interface Account {
  readonly id: string
  readonly ownerId: string
  balance: bigint
  held: bigint
  /** Of its stream. */
  events: number
  readonly holds: Array<OpenHold>
}

export interface SoakCommand {
  readonly kind: SoakKind
  readonly account: Account
  /** What it moves; of a release what is let go. */
  readonly amount: bigint
  /** Of a transfer. */
  readonly to?: Account | undefined
  /** Of a capture or a release; a capture is final, whatever it takes. */
  readonly hold?: OpenHold | undefined
  /** As it stands in a batch. */
  readonly item: string
}

/** As the API names them. */
export type TransactionKind = "credit" | "debit" | "capture" | "transfer_out" | "transfer_in"

export interface TransactionSum {
  count: number
  sum: bigint
}

/** Events of all wallets that a command makes. */
export const eventsOf = ({ kind }: Pick<SoakCommand, "kind">): number => (kind === "transfer" ? 3 : 1)

export const newAccount = (id: string, ownerId: string): Account => ({
  id,
  ownerId,
  balance: 0n,
  held: 0n,
  events: 1,
  holds: []
})

export class Ledger {
  readonly accounts: ReadonlyArray<Account>
  readonly transactions: Record<TransactionKind, TransactionSum> = {
    credit: { count: 0, sum: 0n },
    debit: { count: 0, sum: 0n },
    capture: { count: 0, sum: 0n },
    transfer_out: { count: 0, sum: 0n },
    transfer_in: { count: 0, sum: 0n }
  }
  commands = 0
  events = 0

  constructor(accounts: ReadonlyArray<Account>) {
    this.accounts = accounts
    this.events = accounts.length
  }

  #count(kind: TransactionKind, amount: bigint): void {
    this.transactions[kind].count++
    this.transactions[kind].sum += amount
  }

  /** It was told done; `holdId`: of the hold that it has placed. */
  acknowledged(command: SoakCommand, holdId: string | undefined): void {
    const { account, amount, hold, kind, to } = command
    this.commands++
    this.events += eventsOf(command)
    account.events++
    switch (kind) {
      case "credit":
        account.balance += amount
        return this.#count(kind, amount)
      case "debit":
        account.balance -= amount
        return this.#count(kind, amount)
      case "hold":
        account.held += amount
        account.holds.push({ id: holdId!, amount })
        return
      case "capture":
        account.held -= hold!.amount
        account.balance -= amount
        return this.#count(kind, amount)
      case "release":
        account.held -= hold!.amount
        return
      case "transfer":
        // Sent, and settled once it has arrived.
        account.events++
        account.balance -= amount
        to!.events++
        to!.balance += amount
        this.#count("transfer_out", amount)
        return this.#count("transfer_in", amount)
    }
  }
}

/** Of a wallet, as the API shows it. */
export interface SeenWallet {
  readonly id: string
  readonly balance: string
  readonly held: string
  readonly version: number
}

/** What a wallet shows and must not; `undefined`: it is as it was told. */
export const differenceOf = (account: Account, seen: SeenWallet | undefined): string | undefined => {
  if (seen === undefined) return `${account.id} is not there`
  const told = `balance ${account.balance}, held ${account.held}, version ${account.events - 1}`
  const found = `balance ${seen.balance}, held ${seen.held}, version ${seen.version}`
  return told === found ? undefined : `${account.id} was told ${told}, and has ${found}`
}
