/** More than a node can do: what waits, what is refused, what is held. */
import { type Board, lines, of, query, rate, stacked, sumBy } from "../Panel.ts"

export const overload: Board = {
  uid: "wallet-overload",
  title: "Wallet: requests and overload",
  description: "Who asks for what? Is a node given more than it can do, and what does it refuse?",
  rows: [
    {
      title: "Requests",
      panels: [
        stacked({
          id: 1,
          title: "Requests by route",
          description: "Paths that are none of ours are `unmatched`.",
          unit: "reqps",
          queries: [query("{{method}} {{route}}", sumBy("method, route", rate("http_requests_total")))]
        }),
        lines({
          id: 2,
          title: "Answers of 4xx and 5xx",
          description: "401: a key; 422: a rule; 429: too much; 503: a store; aborted: the client had gone.",
          unit: "reqps",
          queries: [query("{{status}}", sumBy("status", rate("http_requests_total", 'status=~"[45]..|aborted"')))]
        }),
        lines({
          id: 7,
          title: "Audit entries lost",
          description: "The database was away for so long that they had no room in line. Zero while all is well.",
          unit: "cps",
          queries: [query("{{instance}}", rate("wallet_audit_lost_total"))]
        })
      ]
    },
    {
      title: "Overload",
      panels: [
        lines({
          id: 3,
          title: "Refused",
          description:
            "429 or 503 before their bodies were read. Nothing has happened to them. Zero while all is well.",
          unit: "reqps",
          queries: [
            query("{{kind}} {{instance}}", rate("http_requests_refused_total")),
            query("connections {{instance}}", rate("http_connections_refused_total"))
          ],
          alerts: ["WalletOverloaded"]
        }),
        lines({
          id: 4,
          title: "In flight, and where connections are held",
          description:
            "By kind. At three times the limit requests are refused. The limit follows what the node can do.",
          unit: "none",
          queries: [
            query("{{kind}} {{instance}}", of("http_requests_in_flight")),
            query("limit {{kind}} {{instance}}", of("http_requests_limit"))
          ]
        }),
        lines({
          id: 5,
          title: "Connections that are held",
          description: "They sent ahead of their answers, and wait for their turn to be read.",
          unit: "none",
          queries: [query("{{instance}}", of("http_connections_held"))]
        }),
        lines({
          id: 6,
          title: "Feeds, and reads whose turn did not come",
          description: "Feeds that are followed; queries a second that got 429.",
          unit: "none",
          queries: [
            query("feeds {{instance}}", of("wallet_open_feeds")),
            query("reads refused {{instance}}", rate("wallet_reads_refused_total"))
          ]
        })
      ]
    }
  ]
}
