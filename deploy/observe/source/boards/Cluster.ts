/** Several nodes: partitions, leases, what they send each other. */
import { type Board, lines, of, query, rate, stat, sumBy } from "../Panel.ts"

export const cluster: Board = {
  uid: "wallet-cluster",
  title: "Wallet: cluster",
  description: "Has every partition an owner? Do the nodes hear each other, and Redis? Empty with one node.",
  rows: [
    {
      title: "Partitions",
      panels: [
        stat({
          id: 1,
          title: "Partitions with an owner",
          description: "Has to be all of them, but for the seconds of a hand-over.",
          unit: "none",
          queries: [
            query("owned", `sum(${of("wallet_partitions_owned")})`, "cluster"),
            query("of", `max(${of("wallet_partitions")})`, "cluster")
          ],
          alerts: ["WalletPartitionsUnowned"]
        }),
        lines({
          id: 2,
          title: "Partitions by node",
          description: "Nearly the same number on each.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_partitions_owned"), "cluster")]
        }),
        lines({
          id: 3,
          title: "Hand-overs",
          description:
            "Claims, and partitions that went to another node or were fenced. Many without a start or stop: leases that are lost.",
          unit: "ops",
          queries: [
            query("claimed {{instance}}", rate("wallet_partition_claims_total"), "cluster"),
            query("lost {{instance}}", rate("wallet_partitions_lost_total"), "cluster")
          ]
        })
      ]
    },
    {
      title: "Leases on Redis",
      panels: [
        lines({
          id: 4,
          title: "Refreshes without Redis",
          description:
            "Answered from memory because Redis did not answer. Nothing is in danger: the log refuses a second owner.",
          unit: "ops",
          queries: [query("{{instance}}", rate("wallet_lease_grace_refreshes_total"), "cluster")],
          alerts: ["WalletLeasesInDoubt"]
        }),
        lines({
          id: 5,
          title: "Commands to Redis, and those that failed",
          description: "By script.",
          unit: "ops",
          queries: [
            query("{{command}}", sumBy("command", rate("wallet_lease_commands_total")), "cluster"),
            query("failed {{instance}}", sumBy("instance", rate("wallet_lease_errors_total")), "cluster")
          ]
        }),
        lines({
          id: 6,
          title: "Leases",
          description: "Held, as of Redis' last answer; and lost, in the last 15 minutes.",
          unit: "none",
          queries: [
            query("held {{instance}}", of("wallet_leases_held"), "cluster"),
            query("lost {{instance}}", `increase(${of("wallet_leases_lost_total")}[15m])`, "cluster")
          ]
        })
      ]
    },
    {
      title: "Between the nodes",
      panels: [
        lines({
          id: 7,
          title: "Nodes that cannot be reached",
          description: "As each node sees it: its last connection failed and nothing was heard since.",
          unit: "none",
          queries: [query("from {{instance}}", of("wallet_cluster_unreachable_nodes"), "cluster")],
          alerts: ["WalletNodeUnreachable"]
        }),
        lines({
          id: 8,
          title: "Commands for other nodes",
          description: "And the messages that they share.",
          unit: "ops",
          queries: [
            query("commands {{instance}}", rate("wallet_cluster_commands_total"), "cluster"),
            query("{{kind}}", sumBy("kind", rate("wallet_cluster_messages_total")), "cluster")
          ]
        }),
        lines({
          id: 9,
          title: "Came back, or sent again",
          description: "A wallet had changed hands; no answer had come.",
          unit: "ops",
          queries: [
            query("came back {{instance}}", rate("wallet_cluster_bounces_total"), "cluster"),
            query("again {{instance}}", rate("wallet_cluster_resent_total"), "cluster")
          ]
        }),
        lines({
          id: 10,
          title: "Commands that wait for an owner",
          description: "On their way, or without one.",
          unit: "none",
          queries: [query("{{instance}}", of("wallet_cluster_waiting_commands"), "cluster")]
        }),
        lines({
          id: 11,
          title: "Connections that were refused",
          description: "For what came, or did not come, over them: another secret, another release, a stranger.",
          unit: "ops",
          queries: [
            query("{{instance}}", sumBy("instance", rate("wallet_cluster_connections_refused_total")), "cluster")
          ]
        })
      ]
    }
  ]
}
