#!/bin/bash
# lay.sh OUT: lays a real Elasticsearch from Maven Central's jars and this folder's own text, once:
#   OUT/home          the server, HTTP and AnalysisLite (no security)
#   OUT/home-secured  the same with x-pack-core and x-pack-security (TLS, users, API keys), on the libraries of the first
#   OUT/classes.jsa   the JVM's archive of the classes that a start loads: it halves the time of a start
# Needs mvn, JAVA_HOME (a JDK of 21 or newer) and flock; about a minute. Appears as a whole or not at all, also when two
# lay it at once. What it fetches is for tests alone: never committed, never shipped.
# Not there against the shipped server: entitlements, the system-call filter, bootstrap checks, scripts, reindex, ILM,
# ES|QL, unsigned_long, scaled_float, wildcard; of analysis-common only what AnalysisLite registers.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd); final=$(realpath -m "$1"); version=9.5.3
mkdir -p "$(dirname "$final")"; exec 9>"$final.lock"; flock 9
[ ! -e "$final" ] || exit 0
out=$final.part; rm -rf "$out"; trap 'rm -rf "$out"' EXIT
work=$out/build; home=$out/home; secured=$out/home-secured
umask 022; mkdir -p "$work" "$home/plugins" "$home/modules" "$home/config"

# fetch GROUP ARTIFACT OUT [GROUP:ARTIFACT that is left out]
fetch() {
  local out="" pom=$work/$2.xml
  if [ -n "${4:-}" ]; then out="<exclusions><exclusion><groupId>${4%:*}</groupId><artifactId>${4#*:}</artifactId></exclusion></exclusions>"; fi
  cat >"$pom" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
  <groupId>testnode</groupId><artifactId>$2</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$version</version>$out</dependency></dependencies>
  <build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
POM
  mvn -B -q -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$3" >&2
}
# The server refuses a jar that lies in two places.
dedupe() { local jar; for jar in "$1"/*.jar; do [ ! -e "$home/lib/$(basename "$jar")" ] || rm "$jar"; done; }
# module HOME NAME CLASS [NAME of the module that it extends]
module() {
  printf 'name=%s\ndescription=%s\nversion=%s\nelasticsearch.version=%s\njava.version=21\nclassname=%s\n' \
    "$2" "$2" "$version" "$version" "$3" >"$1/modules/$2/plugin-descriptor.properties"
  [ -z "${4:-}" ] || echo "extended.plugins=$4" >>"$1/modules/$2/plugin-descriptor.properties"
}
compile() { "$JAVA_HOME/bin/javac" --release 21 -cp "$home/lib/*" -d "$work/$1" "${@:3}"; "$JAVA_HOME/bin/jar" cf "$2" -C "$work/$1" .; }

fetch org.elasticsearch elasticsearch "$home/lib"
fetch org.elasticsearch.plugin transport-netty4 "$home/modules/transport-netty4"
# x-pack needs this one, too.
mv "$home"/modules/transport-netty4/elasticsearch-ssl-config-*.jar "$home/lib/"
dedupe "$home/modules/transport-netty4"
module "$home" transport-netty4 org.elasticsearch.transport.netty4.Netty4Plugin
mkdir "$home/modules/analysis-lite"
compile lite "$home/modules/analysis-lite/analysis-lite.jar" "$here/testnode/AnalysisLite.java"
module "$home" analysis-lite testnode.AnalysisLite
compile main "$home/lib/testnode.jar" "$here/testnode/Main.java"
# The system's libzstd: without it the codec best_compression is not there.
zstd=$(ldconfig -p | sed -n 's/.*libzstd\.so\.1 .*=> //p' | head -1)
case $(uname -m) in x86_64) platform=linux-x64 ;; *) platform=linux-aarch64 ;; esac
if [ -n "$zstd" ]; then mkdir -p "$home/lib/platform/$platform"; cp -L "$zstd" "$home/lib/platform/$platform/libzstd.so"; fi

mkdir -p "$secured/config" "$secured/plugins"; ln -s ../home/lib "$secured/lib"; cp -r "$home/modules" "$secured/modules"
# Its templates are not on Maven Central.
fetch org.elasticsearch.plugin x-pack-core "$secured/modules/x-pack-core" org.elasticsearch.plugin:x-pack-template-resources
dedupe "$secured/modules/x-pack-core"
# Its jar alone: the rest is for SAML, OIDC and Kerberos.
fetch org.elasticsearch.plugin x-pack-security "$secured/modules/x-pack-security" '*:*'
cp "$secured"/modules/transport-netty4/*.jar "$secured/modules/x-pack-security/"
module "$secured" x-pack-core org.elasticsearch.xpack.core.XPackPlugin
module "$secured" x-pack-security org.elasticsearch.xpack.security.Security x-pack-core
# Empty stand-ins for the types of OpenSAML that stand in signatures which the server reflects on.
while read -r kind name rest; do
  folder=$work/stubs-source/$(dirname "${name//.//}"); mkdir -p "$folder"
  echo "package ${name%.*}; public $kind ${name##*.} $rest {}" >"$work/stubs-source/${name//.//}.java"
done <"$here/saml-stubs.txt"
mapfile -t stubs < <(find "$work/stubs-source" -name '*.java')
compile stubs "$secured/modules/x-pack-security/saml-stubs.jar" "${stubs[@]}"

rm -rf "$work"; chmod -R a+rX "$out"; mv "$out" "$final"; trap - EXIT

# The archive, by one start as the server is started later. Without it a start is slower, and that is all.
run=$(mktemp -d); trap 'rm -rf "$run"' EXIT
as=(); if [ "$(id -u)" = 0 ]; then chown nobody "$run"; as=(setpriv --reuid=nobody --regid=nogroup --clear-groups); fi
printf 'discovery.type: single-node\nnetwork.host: 127.0.0.1\n' >"$run/elasticsearch.yml"; cp "$here/log4j2.properties" "$run/"
mkfifo "$run/log"
"${as[@]}" env -i PATH=/usr/bin:/bin LANG=C.UTF-8 "$JAVA_HOME/bin/java" -Xmx256m -Xss1m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
  "-XX:ArchiveClassesAtExit=$run/classes.jsa" --enable-native-access=ALL-UNNAMED --add-modules=jdk.incubator.vector \
  "-Djava.io.tmpdir=$run" "-Des.path.home=$final/home" "-Des.path.conf=$run" "-Des.set.path.data=$run/data" \
  "-Des.set.path.logs=$run/logs" -Des.set.http.port=0 -Des.set.transport.port=0 -cp "$final/home/lib/*" testnode.Main >"$run/log" 2>&1 &
while read -r line; do
  case $line in *ES-STARTED*) kill "$!" ;; esac
done <"$run/log"
wait "$!" || true
if [ -e "$run/classes.jsa" ]; then install -m 644 "$run/classes.jsa" "$final/classes.jsa"; else echo "no archive of classes was made" >&2; fi
