/** Whether all is well on this node, what is not, and what to do about it. */
import { useQuery } from "@tanstack/react-query"
import type { HealthJson } from "../../../src/http/api/OperationsSchemas.ts"
import { Failure } from "../api/Failure.ts"
import { parseMetrics, type Samples, sumOf } from "../format/Prometheus.ts"
import { showSeconds } from "../format/Time.ts"
import { Loading, Problem, Status } from "../parts/Basics.tsx"
import { useSession } from "../session/Session.ts"

/** Milliseconds between two looks. */
const period = 5_000

type Health = typeof HealthJson.Type

const titles: Readonly<Record<string, string>> = {
  log: "Log",
  ownership: "Ownership",
  persistence: "PostgreSQL rows",
  readModel: "Search",
  clock: "Clock",
  webhooks: "Webhooks"
}

/** By check: what it means when it is not well, and which part of the documents says what to do. */
const todo: Readonly<Record<string, readonly [string, string]>> = {
  log: [
    "No command is taken while the log is away; a wallet that cannot be loaded is refused alone.",
    "OPERATIONS.md, “By symptom” and “A stopped wallet”"
  ],
  ownership: ["This node may not write its wallets. Another one may: look at its health.", "CLUSTER.md"],
  persistence: [
    "Commands go on until the queue is at its bound; lists are behind meanwhile.",
    "OPERATIONS.md, “By symptom”, “Rules of your own”"
  ],
  readModel: ["No command waits for search. Find is behind, or answers 503.", "SEARCH.md"],
  clock: [
    "No clock decides about money, but times may be wrong. Set this machine’s clock.",
    "OPERATIONS.md, “By symptom”"
  ],
  webhooks: [
    "A webhook was given up after three days without an answer. Enable it when its receiver is back.",
    "WEBHOOKS.md"
  ]
}

const Checks = ({ health }: { health: Health }) => (
  <ul className="checks">
    {health.checks.map(({ detail, name, status }) => (
      <li key={name} className={`check ${status}`}>
        <div className="line">
          <h3>{titles[name] ?? name}</h3>
          <Status status={status} />
        </div>
        {detail !== null && <p className="text">{detail}</p>}
        {status !== "ok" && todo[name] !== undefined && (
          <p className="quiet">
            {todo[name][0]} See {todo[name][1]}.
          </p>
        )}
      </li>
    ))}
  </ul>
)

interface Figure {
  readonly title: string
  readonly metric: string
  readonly unit: "count" | "seconds"
  /** More than this is worth a look. */
  readonly worry: number
  readonly says: string
}

const count = (title: string, metric: string, worry: number, says: string): Figure => ({
  title,
  metric,
  unit: "count",
  worry,
  says
})

const seconds = (title: string, metric: string, worry: number, says: string): Figure => ({
  title,
  metric,
  unit: "seconds",
  worry,
  says
})

const groups: ReadonlyArray<readonly [string, ReadonlyArray<Figure>]> = [
  [
    "Rows behind the log",
    [
      seconds("Lag", "wallet_persist_lag_seconds", 5, "age of the oldest event that PostgreSQL does not have"),
      count("Waiting events", "wallet_persist_queue_events", 10_000, "queued for PostgreSQL"),
      count(
        "Stopped wallets",
        "wallet_persist_blocked_wallets",
        0,
        "their rows stopped at a defect: OPERATIONS.md, “A stopped wallet”"
      ),
      count(
        "Compensations",
        "wallet_compensations_total",
        0,
        "events that rules of your own refused, undone since the start"
      ),
      count(
        "Compensations that failed",
        "wallet_compensation_failures_total",
        0,
        "they need somebody: the service’s log names them"
      )
    ]
  ],
  [
    "Search",
    [
      seconds("Lag", "wallet_search_lag_seconds", 5, "age of the oldest event that search does not have"),
      count("Waiting events", "wallet_search_lag_events", 10_000, "not in search yet"),
      count(
        "Dead letters",
        "wallet_search_dead_letters",
        0,
        "documents that search refused: `wallet verify` shows them"
      ),
      count("Unreadable events", "wallet_search_unreadable_events_total", 0, "passed over"),
      count("Wallets behind", "wallet_search_behind_wallets", 0, "wait for PostgreSQL’s acceptance")
    ]
  ],
  [
    "Commands",
    [
      count("Waiting", "wallet_waiting_commands", 5_000, "in all mailboxes of this node"),
      count("Deepest mailbox", "wallet_mailbox_deepest_commands", 1_000, "commands for one wallet"),
      count("Busy wallets", "wallet_busy_wallets", Infinity, "with something to do now"),
      count("Wallets in memory", "wallet_resident_wallets", Infinity, "the others are loaded when they are asked for"),
      count("Transfers on their way", "wallet_transfers_carried", 1_000, "carried by this node"),
      count("Put off by sweepers", "wallet_sweep_deferred", 0, "expiries and transfers that could not be ended yet"),
      count("Actor restarts", "wallet_actor_restarts_total", 0, "defects: the service’s log has the cause")
    ]
  ],
  [
    "Webhooks",
    [
      seconds("Lag", "wallet_webhook_lag_seconds", 60, "age of the oldest event that was not acknowledged"),
      count("Wallets behind", "wallet_webhook_wallets_behind", 0, "an event of theirs was refused"),
      count("Given up", "wallet_webhook_endpoints_disabled", 0, "disabled after three days")
    ]
  ]
]

const shownValue = (value: number, unit: Figure["unit"]): string =>
  unit === "seconds" ? showSeconds(value) : value.toLocaleString("en")

const FigureRow = ({ figure, samples }: { figure: Figure; samples: Samples }) => {
  const value = sumOf(samples, figure.metric)
  if (value === undefined) return null
  return (
    <tr className={value > figure.worry ? "worry" : ""}>
      <th scope="row" title={figure.metric}>
        {figure.title}
      </th>
      <td className="right">
        {shownValue(value, figure.unit)}
        {value > figure.worry && <span className="hidden"> worth a look</span>}
      </td>
      <td className="quiet wide-only">{figure.says}</td>
    </tr>
  )
}

const Group = ({ figures, samples, title }: { title: string; figures: ReadonlyArray<Figure>; samples: Samples }) =>
  figures.some(({ metric }) => samples.has(metric)) ? (
    <section className="panel" aria-label={title}>
      <h2>{title}</h2>
      <table className="metrics">
        <tbody>
          {figures.map((figure) => (
            <FigureRow key={figure.metric} figure={figure} samples={samples} />
          ))}
        </tbody>
      </table>
    </section>
  ) : null

const notDone = new Set(["rejected", "unavailable", "unknown", "failed"])

/** Why commands were not done, most often first. */
const refusalsOf = (samples: Samples): ReadonlyArray<readonly [string, number]> => {
  const sums = new Map<string, number>()
  for (const { labels, value } of samples.get("wallet_commands_total") ?? []) {
    const { code = "", kind = "", result = "" } = labels
    if (!notDone.has(result) || value === 0) continue
    const name = `${kind}: ${code === "" ? result : code}`
    sums.set(name, (sums.get(name) ?? 0) + value)
  }
  return [...sums].sort(([, one], [, other]) => other - one)
}

const mostRefusals = 12

const Refusals = ({ samples }: { samples: Samples }) => {
  const refusals = refusalsOf(samples)
  const early = sumOf(samples, "http_requests_refused_total") ?? 0
  return (
    <section className="panel" aria-label="Refusals">
      <h2>Not done, since the start</h2>
      <table className="metrics">
        <tbody>
          {refusals.slice(0, mostRefusals).map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td className="right">{value.toLocaleString("en")}</td>
            </tr>
          ))}
          <tr>
            <th scope="row">refused unread, for want of time (429)</th>
            <td className="right">{early.toLocaleString("en")}</td>
          </tr>
        </tbody>
      </table>
      {refusals.length === 0 && <p className="quiet">Every command so far was done.</p>}
    </section>
  )
}

const Metrics = () => {
  const { client } = useSession()
  const query = useQuery({
    queryKey: ["metrics"],
    queryFn: async ({ signal }) => parseMetrics(await client.read((api) => api.health.metrics(), signal)),
    refetchInterval: period,
    retry: false
  })
  if (query.error instanceof Failure && query.error.status === 404) {
    return (
      <p className="notice">
        The metrics have a port of their own (WALLET_METRICS_PORT), which this page cannot reach.
      </p>
    )
  }
  if (query.data === undefined) {
    return query.error === null ? <Loading what="metrics" /> : <Problem error={query.error} />
  }
  const samples = query.data
  return (
    <div className="grid">
      {groups.map(([title, figures]) => (
        <Group key={title} title={title} figures={figures} samples={samples} />
      ))}
      <Refusals samples={samples} />
    </div>
  )
}

const summary: Readonly<Record<Health["status"], string>> = {
  ok: "All is well: commands are served, and nothing is behind.",
  degraded: "Commands are served. Something is not as it should be:",
  down: "Commands are not served:"
}

export const HealthPage = () => {
  const { client } = useSession()
  const query = useQuery({
    queryKey: ["health"],
    queryFn: ({ signal }) => client.read((api) => api.health.ready(), signal),
    refetchInterval: period,
    retry: false
  })
  return (
    <>
      <header className="page-head">
        <div>
          <h1>Health {query.data !== undefined && <Status status={query.data.status} />}</h1>
          <p className="quiet">Of the node that answers here, every five seconds.</p>
        </div>
      </header>
      {query.error !== null && <Problem error={query.error} onRetry={() => void query.refetch()} />}
      {query.data === undefined && query.error === null && <Loading what="health" />}
      {query.data !== undefined && (
        <section aria-label="Checks" aria-live="polite">
          <p>{summary[query.data.status]}</p>
          <Checks health={query.data} />
        </section>
      )}
      <Metrics />
    </>
  )
}
