#!/usr/bin/env bats
# The app agent with real services: PostgreSQL, nginx, redis, MariaDB. Each on a node of its own.
load ../lib/common

setup() {
  node_start
  namespace=$(stat -L -c %i "/proc/$(node_pid)/ns/pid")
  cgroup_root=/sys/fs/cgroup
  [ -e $cgroup_root/cgroup.procs ] || cgroup_root=/sys/fs/cgroup/unified
}

teardown() {
  local name folder
  for name in "${!node_init[@]}"; do node_stop "$name"; done
  for folder in "$cgroup_root"/vigil/app-*."$namespace"; do
    [ ! -d "$folder" ] || rmdir "$folder"
  done
  rmdir "$cgroup_root/vigil" 2>/dev/null || :
  common_teardown
}

app() { agent app "$@"; }
on_node() { node_run bash -c "$@"; }

# --- PostgreSQL 15 ---

postgres_bin=/usr/lib/postgresql/15/bin

make_database() {
  on_node "mkdir -p /run/pg && echo secret >/run/pg/word && chown postgres /run/pg && cd /run/pg &&
    runuser -u postgres -- $postgres_bin/initdb -D /run/pg/data -A peer --auth-host=scram-sha-256 --pwfile=/run/pg/word -N >/dev/null &&
    printf '%s\n' 'fsync = off' \"listen_addresses = '127.0.0.1'\" 'port = 5544' \"unix_socket_directories = '/run/pg'\" >>/run/pg/data/postgresql.conf"
  on_node 'umask 077; echo secret >/run/password'
}

postgres_works() {
  local parameters=("$@" user=postgres logfile=/run/log
    "probe=pgsql://postgres@127.0.0.1:5544/postgres?password_file=/run/password pgsql://postgres@:5544/?socket=/run/pg&query=SELECT%201%2B1#text=2")
  local write='CREATE TABLE IF NOT EXISTS vigil_probe(at timestamptz); INSERT INTO vigil_probe VALUES (now())'
  app monitor "${parameters[@]}" @interval=0
  assert_code 7
  app start "${parameters[@]}" @timeout=60000
  assert_code 0
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  app monitor "${parameters[@]}" "deep_probe=pgsql://postgres@:5544/?socket=/run/pg&query=${write// /%20}" @depth=20
  assert_code 0
  app monitor "${parameters[@]}" "deep_probe=pgsql://postgres@:5544/?socket=/run/pg&query=SELECT%20nothing" @depth=20
  assert_code 1
  assert_reason 'column "nothing" does not exist'
  app monitor "${parameters[@]}" "deep_probe=pgsql://postgres@:5544/?socket=/run/pg#text=5" @depth=20
  assert_code 1
  assert_reason "answered '1' where '5' is wanted"
  app monitor "${parameters[@]}" "deep_probe=pgsql://postgres@:5544/?socket=/run/pg&query=SELECT%20pg_sleep(60)#timeout=4" @depth=20
  assert_code 1
  assert_reason 'timed out, no answer .* answering the query'
  # Dies uncleanly, recovers by a start.
  on_node 'postmaster=$(head -n 1 /run/pg/data/postmaster.pid) && kill -KILL "$postmaster" && while kill -0 "$postmaster" 2>/dev/null; do sleep 0.05; done'
  app monitor "${parameters[@]}"
  assert [ "$status" -eq 1 ] || assert_code 7
  app stop "${parameters[@]}" @timeout=60000
  assert_code 0
  app start "${parameters[@]}" @timeout=60000
  assert_code 0
  app stop "${parameters[@]}" @timeout=60000
  assert_code 0
  wait_until 20 refute on_node 'pgrep -x postgres'
  refute on_node 'test -e /run/pg/data/postmaster.pid'
}

@test "PostgreSQL by pg_ctl" {
  make_database
  postgres_works start="$postgres_bin/pg_ctl -D /run/pg/data -w start" stop="$postgres_bin/pg_ctl -D /run/pg/data -m fast stop"
}

@test "PostgreSQL in the foreground, ended by SIGINT" {
  make_database
  postgres_works start="$postgres_bin/postgres -D /run/pg/data" type=foreground stop_signal=INT
}

@test "PostgreSQL that is frozen fails its probe with a text of its own, and its stop leaves nothing" {
  make_database
  local parameters=(start="$postgres_bin/postgres -D /run/pg/data" type=foreground user=postgres stop_signal=INT
    "probe=pgsql://postgres@127.0.0.1:5544/?password_file=/run/password#timeout=1")
  app start "${parameters[@]}" @timeout=60000
  assert_code 0
  on_node 'pkill -STOP -x postgres'
  app monitor "${parameters[@]}" @depth=10
  assert_code 1
  assert_reason 'pgsql probe of 127.0.0.1 port 5544: timed out, no answer within 1'
  app stop "${parameters[@]}" @timeout=6000
  assert_code 0
  wait_until 20 refute on_node 'pgrep -x postgres'
}

@test "PostgreSQL with a wrong password, and a password file that others may read" {
  make_database
  local parameters=(start="$postgres_bin/postgres -D /run/pg/data" type=foreground user=postgres)
  app start "${parameters[@]}" "probe=tcp://127.0.0.1:5544" @timeout=60000
  assert_code 0
  on_node 'umask 077; echo wrong >/run/wrong; echo secret >/run/open; chmod 644 /run/open'
  app monitor "${parameters[@]}" "probe=pgsql://postgres@127.0.0.1:5544/?password_file=/run/wrong" @depth=10
  assert_code 1
  assert_reason 'password authentication failed'
  app monitor "${parameters[@]}" "probe=pgsql://postgres@127.0.0.1:5544/?password_file=/run/open" @depth=10
  assert_code 1
  assert_reason 'readable by others'
}

# --- nginx ---

@test "nginx as a daemon with its pidfile: http, https, reload" {
  on_node 'mkdir -p /run/web/logs && cd /run/web && echo "all is well" >index.html && chmod 755 /run/web &&
    openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost 2>/dev/null &&
    cat >conf' <<'END'
pid /run/web/pid;
error_log /run/web/error.log;
events { }
http {
  access_log off;
  client_body_temp_path /run/web/t1; proxy_temp_path /run/web/t2; fastcgi_temp_path /run/web/t3; uwsgi_temp_path /run/web/t4; scgi_temp_path /run/web/t5;
  server {
    listen 127.0.0.1:8088; listen [::1]:8088; listen 127.0.0.1:8443 ssl;
    ssl_certificate /run/web/cert; ssl_certificate_key /run/web/key;
    root /run/web;
    location /moved { return 301 /; }
    location /down { return 503; }
  }
}
END
  local parameters=(start='nginx -c /run/web/conf' stop='nginx -c /run/web/conf -s quit' reload='nginx -c /run/web/conf -s reload'
    pidfile=/run/web/pid 'probe=http://127.0.0.1:8088/#text=all%20is%20well')
  app start "${parameters[@]}"
  assert_code 0
  for good in 'http://127.0.0.1:8088/' 'http://[::1]:8088/index.html#status=200&text=well' 'http://localhost:8088/moved#status=301' \
    'http://127.0.0.1:8088/down#status=500-599' 'https://localhost:8443/#insecure=yes&text=well'; do
    app monitor start=x "probe=$good" @depth=10
    assert_code 0
  done
  for bad in 'http://127.0.0.1:8088/down@answered with status 503' 'http://127.0.0.1:8088/#text=absent@is not in the first' \
    'http://127.0.0.1:8443/#text=well@status 400' 'https://localhost:8443/@certificate' 'https://127.0.0.1:8088/@SSL|TLS' \
    'http://127.0.0.1:8089/@connection refused' 'smtp://127.0.0.1:8088#timeout=0.5@timed out'; do
    app monitor start=x "probe=${bad%@*}" @depth=10
    assert_code 1
    assert_reason "${bad##*@}"
  done
  app reload "${parameters[@]}"
  assert_code 0
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  app stop "${parameters[@]}"
  assert_code 0
  wait_until 20 refute on_node 'pgrep -x nginx'
}

# --- redis ---

@test "redis with and without a password" {
  local parameters=(start='redis-server --port 6399 --bind 127.0.0.1 --save "" --dir /run --unixsocket /run/redis.sock' type=foreground
    'probe=redis://127.0.0.1:6399 redis:///?socket=/run/redis.sock')
  app start "${parameters[@]}"
  assert_code 0
  app monitor "${parameters[@]}" @depth=10
  assert_code 0
  on_node 'redis-cli -p 6399 config set requirepass "p w\"x"; umask 077; printf "%s\n" "p w\"x" >/run/password'
  app monitor "${parameters[@]}" @depth=10
  assert_code 1
  assert_reason 'NOAUTH'
  app monitor start=x 'probe=redis://127.0.0.1:6399?password_file=/run/password' @depth=10
  assert_code 0
  app stop "${parameters[@]}"
  assert_code 0
  wait_until 20 refute on_node 'pgrep -x redis-server'
}

# --- MariaDB ---

@test "MariaDB over TCP and its socket" {
  on_node 'mkdir -p /run/maria && chown mysql /run/maria &&
    mariadb-install-db --no-defaults --force --user=mysql --datadir=/run/maria/data --skip-test-db \
      --auth-root-authentication-method=socket >/run/maria/install.log 2>&1 || { cat /run/maria/install.log; false; }'
  local parameters=(start='mariadbd --no-defaults --datadir=/run/maria/data --socket=/run/maria/sock --port=3399 --bind-address=127.0.0.1 --pid-file=/run/maria/pid'
    type=foreground user=mysql logfile=/run/log 'probe=mysql://mysql@/?socket=/run/maria/sock')
  app start "${parameters[@]}" @timeout=60000
  assert_code 0
  on_node "mariadb -S /run/maria/sock -e \"CREATE USER probe@'127.0.0.1' IDENTIFIED BY 'secret'\""
  on_node 'umask 077; echo secret >/run/password'
  app monitor "${parameters[@]}" 'deep_probe=mysql://probe@127.0.0.1:3399/?password_file=/run/password&query=SELECT%2040%2B2#text=42' @depth=20
  assert_code 0
  app monitor "${parameters[@]}" 'deep_probe=mysql://probe@127.0.0.1:3399/' @depth=20
  assert_code 1
  assert_reason 'Access denied'
  app monitor "${parameters[@]}" 'deep_probe=mysql://probe@127.0.0.1:3399/?password_file=/run/password&query=SELECT%20SLEEP(30)#timeout=4' @depth=20
  assert_code 1
  assert_reason 'timed out'
  on_node 'pkill -STOP -x mariadbd'
  app monitor start=x user=mysql 'probe=mysql://mysql@/?socket=/run/maria/sock&timeout=1' @depth=10
  assert_code 1
  assert_reason 'timed out'
  on_node 'pkill -CONT -x mariadbd'
  app stop "${parameters[@]}" @timeout=60000
  assert_code 0
  wait_until 20 refute on_node 'pgrep -x mariadbd'
}
