# shellcheck shell=bash disable=SC2034,SC2154,SC2016,SC2164,SC2028
# Java threads deadlocked over monitors and over ReentrantLocks: both are the JVM's own, and the report says whom to ask.
needs="java javac"
packages="openjdk-17-jdk-headless"
command=(java -cp "$work" Deadlocked)
prepare() { javac -d "$work" "$tools/sources/Deadlocked.java"; }
provoke() { wait_until 30 grep -q stuck "$work/server.log"; }
says='idle|healthy' tells='jstack'
