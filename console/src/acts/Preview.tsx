/** What an act would come to, before it is done, and what it came to. */
import { formatAmount, formatChange } from "../format/Money.ts"
import { Copy, Status, TransferLink, WalletLink } from "../parts/Basics.tsx"
import type { Command, Outcome, Transfer, Wallet } from "./Command.ts"
import type { Subject } from "./Forms.ts"

type Figures = Pick<Wallet, "balance" | "held" | "available" | "currency" | "status">

const figures = ["balance", "held", "available"] as const

const Change = ({ after, before }: { before: Figures | undefined; after: Figures }) => (
  <table className="change">
    <thead>
      <tr>
        <th scope="col">{after.currency}</th>
        {before !== undefined && <th scope="col">now</th>}
        <th scope="col">after</th>
        {before !== undefined && <th scope="col">change</th>}
      </tr>
    </thead>
    <tbody>
      {figures.map((name) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          {before !== undefined && <td>{formatAmount(before[name], before.currency)}</td>}
          <td>
            <strong>{formatAmount(after[name], after.currency)}</strong>
          </td>
          {before !== undefined && <td>{formatChange(after[name] - before[name], after.currency)}</td>}
        </tr>
      ))}
      {before !== undefined && before.status !== after.status && (
        <tr>
          <th scope="row">status</th>
          <td>
            <Status status={before.status} />
          </td>
          <td>
            <Status status={after.status} />
          </td>
          <td />
        </tr>
      )}
    </tbody>
  </table>
)

const Legs = ({ legs }: { legs: Transfer["legs"] }) => (
  <ul className="legs">
    {legs.map((leg) => (
      <li key={`${leg.from} ${leg.to} ${leg.amount}`}>
        <strong>
          {formatAmount(leg.amount, leg.currency)} {leg.currency}
        </strong>{" "}
        from <code>{leg.from}</code> to <code>{leg.to}</code>
      </li>
    ))}
  </ul>
)

/** As it is on the page: the trial has seen what came later, too. */
const beforeOf = (subject: Subject): Wallet | undefined => ("wallet" in subject ? subject.wallet : undefined)

export const Preview = ({ command, outcome, subject }: { command: Command; outcome: Outcome; subject: Subject }) => (
  <section className="preview" aria-label="Preview">
    <h3>Tried, not done</h3>
    {command.act === "create" && (
      <p>
        A wallet in {command.currency} of <code>{command.ownerId}</code>
        {command.id === undefined ? "" : ", "}
        {command.id === undefined ? null : <code>{command.id}</code>}.
      </p>
    )}
    {outcome.wallet !== undefined && command.act !== "create" && (
      <Change before={beforeOf(subject)} after={outcome.wallet} />
    )}
    {outcome.transfer !== undefined && <Legs legs={outcome.transfer.legs} />}
    <p className="quiet">Judged as things are now. Others may come before you.</p>
  </section>
)

const durable = ({ committed, indexed, persisted }: Outcome["durability"]): string =>
  indexed
    ? "It is in the log, in PostgreSQL and in search."
    : persisted
      ? "It is in the log and in PostgreSQL; search has it in a moment."
      : committed
        ? "It is in the log and will not be lost. PostgreSQL does not have it yet: lists show it later."
        : "It is on its way."

export const Done = ({ outcome }: { outcome: Outcome }) => (
  <section className="done" role="status" aria-label="Result">
    <h3>{outcome.replayed ? "Done before: this is the first answer again" : "Done"}</h3>
    {outcome.wallet !== undefined && <Change before={undefined} after={outcome.wallet} />}
    {typeof outcome.walletId === "string" && (
      <p>
        wallet <WalletLink id={outcome.walletId} /> <Copy text={outcome.walletId} what="the wallet’s id" />
      </p>
    )}
    {typeof outcome.transactionId === "string" && (
      <p>
        transaction <code>{outcome.transactionId}</code>{" "}
        <Copy text={outcome.transactionId} what="the transaction’s id" />
      </p>
    )}
    {typeof outcome.holdId === "string" && (
      <p>
        hold <code>{outcome.holdId}</code> <Copy text={outcome.holdId} what="the hold’s id" />
      </p>
    )}
    {outcome.transfer !== undefined && (
      <p>
        transfer {outcome.transfer.id !== null && <TransferLink id={outcome.transfer.id} />}{" "}
        <Status status={outcome.transfer.status} />
      </p>
    )}
    <p className="quiet">{durable(outcome.durability)}</p>
  </section>
)
