// How a changeset stands in CHANGELOG.md: as it was written. Whose commit it was says git.

const item = ({ summary }) => {
  const [first, ...rest] = summary.trim().split("\n")
  return [`- ${first.trimEnd()}`, ...rest.map((line) => (line.trim() === "" ? "" : `  ${line.trimEnd()}`))].join("\n")
}

export default {
  getReleaseLine: item,
  // There is one package; its dependencies are npm's.
  getDependencyReleaseLine: () => ""
}
