import { Policies } from "effect-wallet"
import { simulatePolicy } from "effect-wallet/testing/policy"

/** Put your own policy here. */
const policy = Policies.maxBalance({ amount: 100n })

const { asked, failures, rejected } = simulatePolicy(policy, { seeds: 3 })
if (failures.length > 0 || rejected === 0) throw new Error(failures.join("\n\n"))
console.log(`asked of ${asked > 0 ? "many" : "no"} commands, and of some against them`)
