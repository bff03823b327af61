# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# C: a worker process with a pool of threads that read files.
needs="nginx ab"
packages="nginx-light apache2-utils"
port=$(free_port)
command=(nginx -p "$work" -c "$work/nginx.conf")
prepare() {
  mkdir -p "$work/www" "$work/temp"
  chmod 755 "$work" "$work/www"
  echo hello >"$work/www/index.html"
  cat >"$work/nginx.conf" <<END
daemon off; worker_processes 2; pid $work/nginx.pid; error_log $work/error.log;
events { worker_connections 256; }
http { access_log off; aio threads; sendfile off; client_body_temp_path $work/temp; proxy_temp_path $work/temp;
  fastcgi_temp_path $work/temp; uwsgi_temp_path $work/temp; scgi_temp_path $work/temp;
  server { listen 127.0.0.1:$port; root $work/www; } }
END
}
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
targets() { processes_below "$1"; }
