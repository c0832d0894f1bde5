/** A transfer as what it is: where from, where to, in which steps, and what became of it. */
import { useQuery } from "@tanstack/react-query"
import { getRouteApi } from "@tanstack/react-router"
import { useState } from "react"
import { ActDialog } from "../acts/ActDialog.tsx"
import type { Transfer } from "../acts/Command.ts"
import { baseUrl } from "../api/Client.ts"
import { curlOf } from "../format/Curl.ts"
import { amountIn, textIn, titleOf } from "../format/Events.ts"
import { showSeconds } from "../format/Time.ts"
import {
  Amount,
  Copy,
  Empty,
  Facts,
  Loading,
  Metadata,
  Problem,
  Status,
  Time,
  TransferLink,
  WalletLink
} from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"
import { maxWallets, type Step, stepsQuery, transferQuery, walletsOf } from "./transferQueries.ts"

const route = getRouteApi("/transfers/$id")

/** What each step does, for who has not read the architecture. */
const meaning: Readonly<Record<string, string>> = {
  TransferSent: "the money has left the source and is in flight",
  HoldCapturedTo: "captured from a hold, and in flight",
  TransferReceived: "the destination has it",
  TransferRefused: "the destination has refused it, for good",
  TransferSettled: "the source knows that it has arrived",
  TransferReversed: "the source has its money back",
  LegsBegun: "the first wallet has promised its part",
  LegsPrepared: "promised its part",
  LegsRefused: "refused its part, for good",
  LegsApplied: "its legs have moved the balance",
  LegsReleased: "nothing has moved; what was promised is free",
  LegsSettled: "all wallets know how it ended"
}

const undoing = new Set(["TransferRefused", "TransferReversed", "LegsRefused", "LegsReleased"])

const legOf = (transfer: Transfer, walletId: string) =>
  transfer.legs.find(({ from, to }) => from === walletId || to === walletId)

const StepItem = ({ start, step, transfer }: { step: Step; start: number; transfer: Transfer }) => {
  const { event, walletId } = step
  const amount = amountIn(event, "amount")
  const reason = textIn(event, "reason")
  const leg = legOf(transfer, walletId)
  return (
    <li className={undoing.has(event.type) ? "step undo" : "step"}>
      <div className="line">
        <strong>{titleOf(event.type)}</strong>
        <span className="quiet">
          <Time at={event.time} /> · +{showSeconds((event.time - start) / 1_000)}
        </span>
      </div>
      <p>
        <WalletLink id={walletId} version={event.version} /> <span className="quiet">version {event.version}</span>
        {amount !== undefined && leg !== undefined && (
          <>
            {" "}
            · <Amount amount={amount} currency={leg.currency} />
          </>
        )}
      </p>
      <p className="quiet">
        {meaning[event.type] ?? ""}
        {reason === undefined ? "" : `: ${reason}`}
      </p>
    </li>
  )
}

const StepsList = ({ transfer }: { transfer: Transfer }) => {
  const { client } = useSession()
  const query = useQuery(stepsQuery(client, transfer))
  const wallets = walletsOf(transfer).length
  const start = query.data?.steps[0]?.event.time ?? transfer.createdAt
  return (
    <section className="panel" aria-label="Steps">
      <h2>Steps</h2>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <Loading what="the events of its wallets" />}
      {query.data?.steps.length === 0 && (
        <Empty>No event of its wallets names it yet. Load the page again in a moment.</Empty>
      )}
      <ol className="steps">
        {query.data?.steps.map((step) => (
          <StepItem key={`${step.walletId} ${step.event.version}`} step={step} start={start} transfer={transfer} />
        ))}
      </ol>
      {wallets > maxWallets && (
        <p className="hint">
          It has {wallets} wallets: these are the steps of the first {maxWallets}.
        </p>
      )}
      {query.data !== undefined && query.data.unfinished.length > 0 && (
        <p className="hint">
          Very busy: not all events were looked through of {query.data.unfinished.join(", ")}. Later steps may be
          missing here.
        </p>
      )}
    </section>
  )
}

const Legs = ({ transfer }: { transfer: Transfer }) => (
  <section className="panel" aria-label="Legs">
    <h2>{transfer.legs.length === 1 ? "From and to" : `${transfer.legs.length} legs`}</h2>
    <ol className="flow">
      {transfer.legs.map((leg, index) => (
        // A leg has no name but its number.
        <li key={index} className={transfer.leg === index ? "leg refused" : "leg"}>
          <WalletLink id={leg.from} />
          <span className="arrow">
            <Amount amount={leg.amount} currency={leg.currency} />
          </span>
          <WalletLink id={leg.to} />
          <span className="text quiet">
            {leg.reference}
            {transfer.leg === index ? " refused" : ""}
            {leg.refunded > 0n && (
              <>
                {" "}
                refunded <Amount amount={leg.refunded} currency={leg.currency} />
              </>
            )}
          </span>
        </li>
      ))}
    </ol>
  </section>
)

const Compensation = ({ transfer }: { transfer: Transfer }) =>
  transfer.status === "reversed" ? (
    <div className="problem" role="status">
      <p>
        <strong>Reversed.</strong> {transfer.reason ?? "No reason is on record."}
      </p>
      <p>
        {transfer.legs.length === 1
          ? "The destination refused it after it was sent. The source has its money back."
          : "One wallet could not take part, so no leg has moved any money."}
      </p>
    </div>
  ) : null

const canBeRefunded = ({ legs, refundOf, status }: Transfer): boolean =>
  status === "completed" && refundOf === null && legs.some(({ amount, refunded }) => refunded < amount)

const View = ({ transfer }: { transfer: Transfer }) => {
  const { scopes } = useSession()
  const [isRefunding, setRefunding] = useState(false)
  const obstacle = !scopes.write
    ? "this key lacks the scope wallets:write"
    : canBeRefunded(transfer)
      ? undefined
      : "nothing of it is left to refund"
  return (
    <>
      <header className="page-head">
        <div>
          <h1>
            <span className="kind">Transfer</span> <code>{transfer.id}</code> <Status status={transfer.status} />
          </h1>
          <p className="quiet">
            <Copy text={transfer.id} what="the transfer’s id" label="Copy id" />{" "}
            <Copy
              text={curlOf(baseUrl, { method: "GET", path: `/v1/transfers/${transfer.id}` })}
              what="this request"
              label="Copy as curl"
            />
          </p>
        </div>
        <div className="acts">
          <button type="button" disabled={obstacle !== undefined} title={obstacle} onClick={() => setRefunding(true)}>
            Refund
          </button>
          {obstacle !== undefined && <p className="hint">{obstacle}</p>}
        </div>
      </header>
      <Compensation transfer={transfer} />
      {transfer.status === "pending" && (
        <p className="notice" role="status">
          On its way. It ends by itself; this page looks again every two seconds.
        </p>
      )}
      <div className="columns">
        <div className="main">
          <Legs transfer={transfer} />
          <StepsList transfer={transfer} />
        </div>
        <aside className="side panel">
          <h2>About</h2>
          <Facts
            facts={[
              [
                "reference",
                <span className="text" key="reference">
                  {transfer.reference ?? "none"}
                </span>
              ],
              ["created", <Time at={transfer.createdAt} key="created" />],
              ["effective", <Time at={transfer.effectiveAt} key="effective" />],
              ["last change", <Time at={transfer.updatedAt} key="updated" />],
              [
                "refund of",
                transfer.refundOf === null ? "none" : <TransferLink id={transfer.refundOf} key="refundOf" />
              ]
            ]}
          />
          <h2>Metadata</h2>
          <Metadata metadata={transfer.metadata} />
        </aside>
      </div>
      {isRefunding && <ActDialog subject={{ act: "refundTransfer", transfer }} onClose={() => setRefunding(false)} />}
    </>
  )
}

export const TransferPage = () => {
  const { id } = route.useParams()
  const { client } = useSession()
  const query = useQuery(transferQuery(client, id))
  if (query.data !== undefined) return <View transfer={query.data} />
  if (query.error === null) return <Loading what="the transfer" />
  return (
    <>
      <h1>
        <span className="kind">Transfer</span> <code>{id}</code>
      </h1>
      <Problem error={query.error} onRetry={() => void query.refetch()} />
    </>
  )
}
