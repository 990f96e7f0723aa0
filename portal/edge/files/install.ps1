# Installs @LABEL@, or upgrades it in place. As an administrator, it runs from then on, as LOCAL SERVICE:
#   powershell -ExecutionPolicy Bypass -File install.ps1 [-Folder DIR] [-NoService] [-Uninstall]
param([string]$Folder = '', [switch]$NoService, [switch]$Uninstall)
$ErrorActionPreference = 'Stop'
$label = '@LABEL@'
$here = (Get-Location).ProviderPath
Set-Location -LiteralPath $PSScriptRoot

foreach ($line in Get-Content -LiteralPath 'SHA256SUMS') {
    $digest, $name = $line -split '  ', 2
    if ((Get-FileHash -Algorithm SHA256 -LiteralPath $name).Hash -ne $digest) {
        throw "$name is not as it was made: nothing is installed. Download the archive again."
    }
}

$python = $null
foreach ($one in 'py', 'python') {
    if ($null -eq $python -and (Get-Command $one -ErrorAction SilentlyContinue)) {
        & $one -c 'import sys; sys.exit(sys.version_info < (3, 11))'
        if ($LASTEXITCODE -eq 0) { $python = $one }
    }
}
if ($null -eq $python) { throw 'Python 3.11 or newer is needed: https://www.python.org/downloads/windows/' }

$me = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
$isAdmin = $me.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
$isService = $isAdmin -and -not $NoService -and -not $Uninstall
$base = & $python -c 'import sys; print(sys.base_prefix)'
if ($isService -and $base.StartsWith($env:USERPROFILE, 'OrdinalIgnoreCase')) {
    throw "$base is yours alone: install Python for all users, or run this with -NoService."
}
if ($Folder -eq '') { $Folder = Join-Path $(if ($isAdmin) { $env:ProgramFiles } else { $env:LOCALAPPDATA }) $label }
$Folder = [IO.Path]::GetFullPath([IO.Path]::Combine($here, $Folder))

if (Get-ScheduledTask -TaskName $label -ErrorAction SilentlyContinue) { Stop-ScheduledTask -TaskName $label }
$env:PYTHONDONTWRITEBYTECODE = '1'
$words = @('--label', $label, '--here', $here, '--folder', $Folder)
if ($Uninstall) { $words = @('uninstall') + $words }
& $python -m edge_connector.install @words
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }

if ($Uninstall) {
    Unregister-ScheduledTask -TaskName $label -Confirm:$false -ErrorAction SilentlyContinue
    exit 0
}
if (-not $isAdmin) { exit 0 }

# Administrators and the system may do everything (by their numbers: names are translated), LOCAL SERVICE reads.
icacls $Folder /inheritance:r /grant:r '*S-1-5-32-544:(OI)(CI)F' '*S-1-5-18:(OI)(CI)F' '*S-1-5-19:(OI)(CI)RX' | Out-Null
foreach ($name in 'state', 'files') { icacls (Join-Path $Folder $name) /grant '*S-1-5-19:(OI)(CI)M' | Out-Null }
if ($NoService) { exit 0 }

$app, $environment = foreach ($name in 'app.*', 'env.*') {
    @(Get-ChildItem -LiteralPath $Folder -Directory -Filter $name)[0].FullName
}
$action = New-ScheduledTaskAction -Execute "$environment\Scripts\python.exe" -WorkingDirectory $Folder `
    -Argument "`"$app\run.py`" --config `"$Folder\edge.toml`""
$settings = New-ScheduledTaskSettingsSet -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries `
    -ExecutionTimeLimit ([TimeSpan]::Zero) -RestartCount 999 -RestartInterval (New-TimeSpan -Minutes 1)
$who = New-ScheduledTaskPrincipal -UserId 'NT AUTHORITY\LOCAL SERVICE' -LogonType ServiceAccount
Register-ScheduledTask -TaskName $label -Action $action -Trigger (New-ScheduledTaskTrigger -AtStartup) `
    -Settings $settings -Principal $who -Force | Out-Null
Start-ScheduledTask -TaskName $label
Write-Host "${label}: runs as the task $label, and starts with Windows."
