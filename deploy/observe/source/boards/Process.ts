/** The process: its thread, its memory, its files. */
import { type Board, lines, of, quantile, query, rate } from "../Panel.ts"

export const processBoard: Board = {
  uid: "wallet-process",
  title: "Wallet: process",
  description: "Is a node at the limit of its one thread, or of its memory?",
  rows: [
    {
      title: "The thread",
      panels: [
        lines({
          id: 1,
          title: "The event loop is busy",
          description: "Share of the time: 1 is all it can. More nodes, fewer and larger batches, or less load.",
          unit: "percentunit",
          limit: 0.95,
          queries: [query("{{instance}}", rate("nodejs_eventloop_active_seconds_total"))],
          alerts: ["WalletEventLoopBusy"]
        }),
        lines({
          id: 2,
          title: "Timers are late, 99 %",
          description: "Something holds the thread, or others use the processor.",
          unit: "s",
          limit: 0.2,
          queries: [query("{{instance}}", quantile(0.99, "nodejs_eventloop_delay_seconds", "instance"))],
          alerts: ["WalletEventLoopLate"]
        }),
        lines({
          id: 3,
          title: "Processor",
          description: "Of all threads; 1 is one core.",
          unit: "none",
          queries: [query("{{instance}}", rate("process_cpu_seconds_total"))]
        })
      ]
    },
    {
      title: "Memory and files",
      panels: [
        lines({
          id: 4,
          title: "Heap",
          description:
            "In use, and what it may take: at that the process ends. WALLET_RESIDENT_BYTES bounds the wallets' part.",
          unit: "bytes",
          queries: [
            query("used {{instance}}", of("nodejs_heap_size_used_bytes")),
            query("limit {{instance}}", of("nodejs_heap_size_limit_bytes"))
          ],
          alerts: ["WalletHeapFull"]
        }),
        lines({
          id: 5,
          title: "Memory of the process",
          description: "In RAM; taken for the heap; buffers outside of it.",
          unit: "bytes",
          queries: [
            query("resident {{instance}}", of("process_resident_memory_bytes")),
            query("heap {{instance}}", of("nodejs_heap_size_total_bytes")),
            query("external {{instance}}", of("nodejs_external_memory_bytes"))
          ]
        }),
        lines({
          id: 6,
          title: "Open files and sockets",
          description: "Connections of clients are bounded by WALLET_HTTP_CONNECTIONS (4,096).",
          unit: "none",
          queries: [query("{{instance}}", of("process_open_fds"))]
        })
      ]
    }
  ]
}
