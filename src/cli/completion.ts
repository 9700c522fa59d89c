/** Scripts that let a shell ask us (`__complete`) what could come next. Pure. */

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const BASH = `# kubectl-holdfast for bash: source <(kubectl-holdfast completion bash)
_kubectl_holdfast() {
  local out directive
  out=$(kubectl-holdfast __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
  directive=\${out##*:}
  out=\${out%:*}
  local IFS=$'\\n'
  if [ "$directive" = 0 ]; then COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); else COMPREPLY=($out); fi
}
complete -F _kubectl_holdfast kubectl-holdfast`;

const ZSH = `#compdef kubectl-holdfast
# kubectl-holdfast for zsh: source <(kubectl-holdfast completion zsh)
_kubectl_holdfast() {
  local out
  out=$(kubectl-holdfast __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null) || return
  if [[ \${out##*:} == 0 ]]; then _files; else compadd -- \${(f)out%:*}; fi
}
compdef _kubectl_holdfast kubectl-holdfast`;

const FISH = `# kubectl-holdfast for fish: kubectl-holdfast completion fish | source
function __kubectl_holdfast
  set -l words (commandline -opc) (commandline -ct)
  set -l out (kubectl-holdfast __complete -- $words[2..-1] 2>/dev/null)
  if test "$out[-1]" = ":0"
    __fish_complete_path (commandline -ct)
  else
    string match -v -r '^:' -- $out
  end
end
complete -c kubectl-holdfast -f -a '(__kubectl_holdfast)'`;

export const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
