"""Completion scripts of shells, made from the table of commands."""

from collections.abc import Iterator

from dropserve.command.table import COMMANDS, Command


def script(shell: str) -> str:
    """Return the completion script of `shell`: bash, zsh or fish."""
    if shell == "fish":
        return "\n".join(_fish()) + "\n"
    zsh = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return zsh + BASH.format(cases="\n".join(_bash_cases()), values="\n".join(_bash_values()))


def paths() -> Iterator[tuple[tuple[str, ...], Command]]:
    """Yield each command that can be run, and the words that name it."""
    for command in COMMANDS:
        if command.commands:
            yield from (((command.name, inner.name), inner) for inner in command.commands)
        else:
            yield (command.name,), command


BASH = """\
_dropserve() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" known="" files=""
    case "$COMP_CWORD:${{COMP_WORDS[1]}}:${{COMP_WORDS[2]}}" in
{cases}
    esac
    case "$before" in
{values}
    esac
    COMPREPLY=($(compgen -W "$known" -- "$word"))
    if [[ -n "$files" && "$word" != -* ]]; then
        local IFS=$'\\n'
        COMPREPLY+=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _dropserve dropserve
"""


def _bash_values() -> Iterator[str]:
    """Yield the options after which a file or one of few values comes."""
    found = {o.name: o for _, command in paths() for o in command.options if o.name.startswith("-")}
    for option in found.values():
        if option.choices or option.takes_file:
            files = "1" if option.takes_file else ""
            yield f'        {option.name}) known="{" ".join(option.choices)}" files="{files}" ;;'


def _bash_cases() -> Iterator[str]:
    """Yield the words that may follow each command: its options, and values of its arguments."""
    yield f'        1:*) known="{" ".join(command.name for command in COMMANDS)} --help" ;;'
    for command in COMMANDS:
        if command.commands:
            yield f'        2:{command.name}:*) known="{" ".join(each.name for each in command.commands)} --help" ;;'
    for words, command in paths():
        options = [option.name for option in command.options if option.name.startswith("-")]
        arguments = [option for option in command.options if not option.name.startswith("-")]
        values = [value for argument in arguments for value in argument.choices]
        files = "1" if any(argument.takes_file for argument in arguments) else ""
        named = ":".join(words) if len(words) > 1 else f"{words[0]}:*"
        yield f'        *:{named}) known="{" ".join([*values, *options, "--help"])}" files="{files}" ;;'


def _fish() -> Iterator[str]:
    """Yield a line a command and option."""
    yield "complete -c dropserve -f"
    for command in COMMANDS:
        yield f"complete -c dropserve -n __fish_use_subcommand -a {command.name} -d {_quoted(command.help)}"
        names = " ".join(each.name for each in command.commands)
        for inner in command.commands:
            when = f"__fish_seen_subcommand_from {command.name}; and not __fish_seen_subcommand_from {names}"
            yield f"complete -c dropserve -n {_quoted(when)} -a {inner.name} -d {_quoted(inner.help)}"
    for words, command in paths():
        when = _quoted("; and ".join(f"__fish_seen_subcommand_from {word}" for word in words))
        for option in command.options:
            values = f" -a {_quoted(' '.join(option.choices))}" if option.choices else ""
            if option.name.startswith("--"):
                takes = "" if option.is_switch else " -r -F" if option.takes_file else " -x"
                yield f"complete -c dropserve -n {when} -l {option.name[2:]}{takes}{values} -d {_quoted(option.help)}"
            elif values or option.takes_file:
                yield f"complete -c dropserve -n {when}{values or ' -F'}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
