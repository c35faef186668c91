#!/bin/sh
# Links a module with the exports named in LIMPET_EXPORTS and no others; unset: with all.
#
# rustc exports every callback of the proxy-wasm crate, and offers no way to export fewer. What
# is not exported is not linked either. The real linker is LIMPET_LINKER, else the toolchain's,
# which rustc puts on the path.
is_name=no
for argument do
    shift
    if [ "$is_name" = yes ]; then
        is_name=no
        case " ${LIMPET_EXPORTS:-$argument} " in
            *" $argument "*) set -- "$@" --export "$argument" ;;
        esac
    elif [ "$argument" = --export ]; then
        is_name=yes
    else
        set -- "$@" "$argument"
    fi
done
exec "${LIMPET_LINKER:-rust-lld}" "$@"
