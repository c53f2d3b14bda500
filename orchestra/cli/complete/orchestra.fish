# Completion of orchestra in fish, from 3.0 on.

function __orchestra_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    command -q -- $program; or set program orchestra
    command -q -- $program; or return
    for line in ($program __complete fish $words[2..-1] "$current" 2>/dev/null </dev/null)
        set -l before (string match -r '^--[^=]*=' -- "$current")
        set -l path (string replace -r '^--[^=]*=' '' -- "$current")
        switch $line
            case :files
                __fish_complete_path "$path" | string replace -r '^' -- "$before"
            case :directories
                __fish_complete_directories "$path" '' | string replace -r '^' -- "$before"
            case '*'
                echo $line
        end
    end
end

complete -c orchestra -f -a '(__orchestra_complete)'
