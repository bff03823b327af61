# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# HotSpot: Java's monitors and locks are its own; a thread that must wait parks on a pthread condition.
needs="java javac ab"
packages="openjdk-17-jdk-headless apache2-utils"
port=$(free_port)
command=(java -cp "$work" -Xmx256m Contended "$port")
prepare() { javac -d "$work" "$tools/sources/Contended.java"; }
answers() { http_answers "$port"; }
load() { http_load "$port" "$1"; }
