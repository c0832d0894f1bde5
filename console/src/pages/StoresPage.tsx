/** One wallet in every store, side by side: where they differ, and what is done about it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query"
import { getRouteApi, Link } from "@tanstack/react-router"
import type { ReactNode } from "react"
import type { VerificationJson, WalletStoresJson } from "../../../src/http/api/InspectionSchemas.ts"
import { baseUrl } from "../api/Client.ts"
import { curlOf } from "../format/Curl.ts"
import { formatAmount } from "../format/Money.ts"
import { showSeconds, showTime } from "../format/Time.ts"
import { AdminOnly, Amount, Copy, Facts, Loading, Problem, Time, TransferLink } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"

const route = getRouteApi("/wallets/$id/stores")

/** Milliseconds between two looks: each is a handful of reads in every store. */
const period = 5_000

type Stores = typeof WalletStoresJson.Type
type Side = NonNullable<Stores["log"]["wallet"]>

const storeNames: Readonly<Record<string, string>> = {
  log: "Log",
  actor: "Actor",
  persistence: "PostgreSQL",
  readModel: "Search"
}

const fields: ReadonlyArray<readonly [string, (side: Side) => string]> = [
  ["Version", ({ version }) => version.toString()],
  ["Status", ({ status }) => status],
  ["Balance", ({ balance, currency }) => formatAmount(balance, currency)],
  ["Held", ({ currency, held }) => formatAmount(held, currency)],
  ["Available", ({ available, currency }) => formatAmount(available, currency)],
  ["Overdraft limit", ({ currency, overdraftLimit }) => formatAmount(overdraftLimit, currency)],
  ["Currency", ({ currency }) => currency],
  ["Owner", ({ ownerId }) => ownerId],
  ["Frozen", ({ freeze }) => (freeze === null ? "no" : `${freeze.direction}: ${freeze.reason ?? "no reason"}`)],
  ["Last event", ({ updatedAt }) => showTime(updatedAt)]
]

const Cell = ({ text, truth }: { text: string; truth: string }) => (
  <td className={text === truth ? "" : "differs"}>
    <span className="text">{text}</span>
    {text !== truth && <span className="mark"> differs</span>}
  </td>
)

/** Of the actor only its version is its own: it has the state that the log has given it. */
const actorText = ({ node }: Stores): string => {
  if (node === null) return "not asked"
  if (node.epoch === null) return "on another node"
  return node.actor === null ? "not in memory" : node.actor.version === -1 ? "loading" : node.actor.version.toString()
}

const Sides = ({ stores }: { stores: Stores }) => {
  const truth = stores.log.wallet
  const texts = (side: Side | null, of: (side: Side) => string) => (side === null ? "none" : of(side))
  const actor = stores.node?.actor
  return (
    <div className="scroll-x" role="region" aria-label="Side by side" tabIndex={0}>
      <table className="sides">
        <thead>
          <tr>
            <td />
            <th scope="col">Log</th>
            <th scope="col">Actor</th>
            <th scope="col">PostgreSQL</th>
            <th scope="col">Search</th>
          </tr>
        </thead>
        <tbody>
          {fields.map(([name, of]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <span className="text">{texts(truth, of)}</span>
              </td>
              {name === "Version" ? (
                <Cell text={actorText(stores)} truth={actor ? texts(truth, of) : actorText(stores)} />
              ) : (
                <td className="quiet">–</td>
              )}
              <Cell text={texts(stores.persistence.wallet, of)} truth={texts(truth, of)} />
              <Cell text={texts(stores.readModel.wallet, of)} truth={texts(truth, of)} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

interface Different {
  readonly store: string
  readonly what: string
  readonly expected: string
  readonly found: string
  readonly lags?: boolean
}

const Differences = ({ differences }: { differences: ReadonlyArray<Different> }) => (
  <ul className="list">
    {differences.map(({ expected, found, lags, store, what }) => (
      <li key={`${store} ${what} ${expected}`}>
        <p>
          <strong>{storeNames[store] ?? store}</strong>, {what}{" "}
          {lags === true && <span className="quiet">(behind, and may come up by itself)</span>}
        </p>
        <p className="wraps">
          by the log: <code>{expected}</code>
        </p>
        <p className="wraps">
          found: <code>{found}</code>
        </p>
      </li>
    ))}
  </ul>
)

const Agreement = ({ stores: { differences } }: { stores: Stores }) => {
  const apart = differences.filter(({ lags }) => !lags)
  return (
    <section className="panel" aria-label="Agreement" aria-live="polite">
      <h2>{differences.length === 0 ? "All agree" : apart.length === 0 ? "Behind the log" : "They differ"}</h2>
      <Differences differences={differences} />
      {apart.length > 0 && <p className="hint">Verify compares every event; then Repair can put right what differs.</p>}
    </section>
  )
}

const verdict = ({ differenceCount, events, lagging, repaired }: typeof VerificationJson.Type): string => {
  const compared = `${events.toLocaleString("en")} events compared: `
  if (differenceCount > 0) return `${compared}${differenceCount.toLocaleString("en")} differences.`
  if (repaired) return `${compared}repaired, and right now.`
  return `${compared}no differences${lagging ? ", rows a moment behind the log" : ""}.`
}

const Verify = ({ id }: { id: string }) => {
  const { client } = useSession()
  const queries = useQueryClient()
  const run = useMutation({
    mutationFn: (repair: boolean) =>
      client.act((api) => api.inspection.verify({ params: { id }, query: {}, payload: repair ? { repair } : {} })),
    onSettled: () => queries.invalidateQueries()
  })
  const report = run.data
  return (
    <section className="panel" aria-label="Verify">
      <div className="panel-head">
        <h2>Verify</h2>
        <Copy
          text={curlOf(baseUrl, { method: "POST", path: `/v1/wallets/${encodeURIComponent(id)}/verify`, body: {} })}
          what="this request"
          label="Copy as curl"
        />
      </div>
      <p className="hint">Folds every event and compares what comes of it. Commands go first; the log never changes.</p>
      <div className="buttons">
        <button type="button" disabled={run.isPending} onClick={() => run.mutate(false)}>
          {run.isPending ? "Comparing …" : "Verify"}
        </button>
        {report !== undefined && report.differenceCount > 0 && (
          <button type="button" className="primary danger" disabled={run.isPending} onClick={() => run.mutate(true)}>
            Repair from the log
          </button>
        )}
      </div>
      {run.error !== null && <Problem error={run.error} />}
      {report !== undefined && (
        <div role="status">
          <p>{verdict(report)}</p>
          <Differences differences={report.differences} />
          {report.warnings.map((warning) => (
            <p key={warning} className="notice">
              {warning}
            </p>
          ))}
        </div>
      )}
    </section>
  )
}

const factsOf = (stores: Stores): ReadonlyArray<readonly [string, ReactNode]> => {
  const { log, node, persistence, readModel } = stores
  const { lastEvent } = log
  const index = readModel.index
  return [
    ["Last event", lastEvent === null ? "none" : `${lastEvent.type}, version ${lastEvent.version}`],
    ["Snapshots", log.snapshots.map(({ version }) => version).join(", ") || "none"],
    ["Head of the log", log.head.toString()],
    ["Partition", node === null ? "not asked" : node.partition],
    ["Claim", node?.epoch ?? "another node’s"],
    ["In its mailbox", node?.actor?.waiting ?? 0],
    ["In hand", node?.actor?.running ?? 0],
    ["Rows behind", persistence.lagEvents === 0 ? "none" : `${persistence.lagEvents} events`],
    ["For", showSeconds(persistence.lagMillis / 1_000)],
    ...(index === null ? [] : ([["Documents as they should be", index.failure ?? index.documents]] as const))
  ]
}

const UnderWay = ({ stores }: { stores: Stores }) => {
  const currency = stores.log.wallet?.currency ?? ""
  const { openHoldCount, openHolds, persistence, transfersInFlight, transfersInFlightCount } = stores
  return (
    <section className="panel" aria-label="Under way">
      <h2>Open holds: {openHoldCount.toLocaleString("en")}</h2>
      <ul className="list">
        {openHolds.map(({ id, overdueMillis, remaining, row }) => (
          <li key={id}>
            <code>{id}</code> <Amount amount={remaining} currency={currency} />{" "}
            <span className="quiet">row: {row ?? "none"}</span>
            {overdueMillis !== null && <strong> overdue for {showSeconds(overdueMillis / 1_000)}</strong>}
          </li>
        ))}
      </ul>
      <h2>Transfers in flight: {transfersInFlightCount.toLocaleString("en")}</h2>
      <ul className="list">
        {transfersInFlight.map(({ ageMillis, amount, id, row }) => (
          <li key={id}>
            <TransferLink id={id} /> <Amount amount={amount} currency={currency} />{" "}
            <span className="quiet">
              for {showSeconds(ageMillis / 1_000)}, row: {row ?? "none"}
            </span>
          </li>
        ))}
      </ul>
      {persistence.refusals.length > 0 && <h2>Refused by a rule of the database</h2>}
      <ul className="list">
        {persistence.refusals.map(({ reason, reversal, version }) => (
          <li key={version}>
            version {version}: <span className="text">{reason}</span>{" "}
            <span className="quiet">{reversal === null ? "not reversed yet" : `reversed by version ${reversal}`}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}

const View = ({ id, stores }: { id: string; stores: Stores }) => (
  <>
    {stores.node?.blocked !== null && stores.node !== null && (
      <p className="notice">Writing of this wallet’s rows has stopped: {stores.node.blocked}. See OPERATIONS.md.</p>
    )}
    <Agreement stores={stores} />
    <Sides stores={stores} />
    <div className="columns">
      <div className="main">
        <Verify id={id} />
      </div>
      <div className="side">
        <section className="panel" aria-label="Where they are">
          <h2>Where they are</h2>
          <Facts facts={factsOf(stores)} />
          <p className="quiet">
            as of <Time at={stores.time} />
          </p>
        </section>
        <UnderWay stores={stores} />
      </div>
    </div>
  </>
)

const Body = ({ id }: { id: string }) => {
  const { client } = useSession()
  const query = useQuery({
    queryKey: ["stores", id],
    queryFn: ({ signal }) => client.read((api) => api.inspection.stores({ params: { id }, query: {} }), signal),
    refetchInterval: period
  })
  return (
    <>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {query.data !== undefined && <View id={id} stores={query.data} />}
      {query.data === undefined && query.error === null && <Loading what="every store" />}
    </>
  )
}

export const StoresPage = () => {
  const { id } = route.useParams()
  const { scopes } = useSession()
  return (
    <>
      <header className="page-head">
        <div>
          <h1>
            <span className="kind">Stores of</span> <code>{id}</code>
          </h1>
          <p className="quiet">
            The wallet as the log, its actor, PostgreSQL and search have it.{" "}
            <Link to="/wallets/$id" params={{ id }} search={{}}>
              The wallet
            </Link>
          </p>
        </div>
      </header>
      {scopes.admin ? <Body key={id} id={id} /> : <AdminOnly />}
    </>
  )
}
