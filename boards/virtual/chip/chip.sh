#!/bin/sh
# The virtual chip's power supply: starts the program that is its arguments on the terminal $ADMIT_CHIP_LINE, and again
# after each reset. Exit statuses are agreed with rom.py, chip_machine.py and host/admit/virtual/chip.py.
trap '' INT
exec </dev/null >/dev/null 2>&1
cause=power
crashes=0
while :; do
    "$@" "$cause" <>"$ADMIT_CHIP_LINE" >&0 2>&1 &
    echo $! >"$ADMIT_CHIP_PID"
    wait $!
    status=$?
    [ $status -lt 139 ] || stty -echoe <"$ADMIT_CHIP_LINE" # line.py: Ctrl-C has nothing to interrupt now
    case $status in
        81) cause=soft ;;
        82) cause=raw ;;
        138 | 158) cause=hard ;; # SIGUSR1, on Linux and elsewhere: machine.reset()
        140 | 159) cause=repl ;; # SIGUSR2: Ctrl-C, for which it did not pause
        142) cause=rawrepl ;; # SIGALRM: the same, run from the raw REPL
        126 | 127 | 137) exit $status ;; # no such program; SIGKILL: power was lost
        *)
            cause=crash
            crashes=$((crashes + 1))
            [ $crashes -lt 4 ] || exit $status
            ;;
    esac
done
