# Completion of orchestra in bash, from 4.0 on; it needs no other package.

_orchestra() {
    local program=${1/#\~\//$HOME/} word meaning
    type -P -- "$program" >/dev/null || program=orchestra
    COMPREPLY=()
    # The command line is not standard input: nothing that is typed ahead may be read.
    while IFS=$'\t' read -r word meaning; do
        case $word in
            :files) compopt -o default ;;
            :directories) compopt -o dirnames ;;
            *) COMPREPLY+=("$word") ;;
        esac
    done < <("$program" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null </dev/null)
    # A value goes on after the word: all of them end so, or none.
    if [[ ${COMPREPLY[0]-} == *[=.:] ]]; then
        compopt -o nospace
    fi
}

complete -F _orchestra orchestra
