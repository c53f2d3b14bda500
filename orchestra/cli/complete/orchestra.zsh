#compdef orchestra
# Completion of orchestra in zsh: a file named _orchestra in a directory of $fpath, or sourced after compinit.

_orchestra() {
    local program=${words[1]/#\~\//$HOME/} line word meaning first
    local -a before entries
    (( CURRENT > 2 )) && before=("${(@Q)words[2,CURRENT-1]}")
    whence -p -- "$program" >/dev/null || program=orchestra
    for line in "${(@f)$("$program" __complete zsh "$before[@]" "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
        word=${line%%$'\t'*} meaning=${line#*$'\t'}
        case $word in
            '') ;;
            :files) [[ $PREFIX == -*=* ]] && compset -P '*='; _files; return ;;
            :directories) [[ $PREFIX == -*=* ]] && compset -P '*='; _files -/; return ;;
            *) first=${first:-$word}
               entries+=("${word//:/\\:}${meaning:+:$meaning}") ;;
        esac
    done
    # A value goes on after the word: all of them end so, or none.
    if [[ $first == *[=.:] ]]; then
        _describe -V orchestra entries -S ''
    else
        _describe -V orchestra entries
    fi
}

if [[ $funcstack[1] == _orchestra ]]; then
    _orchestra "$@"
else
    compdef _orchestra orchestra
fi
