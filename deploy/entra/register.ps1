<#
.SYNOPSIS
  Makes the app registration for Mailwarden, uploads its certificate and grants the least application permissions.
.DESCRIPTION
  Microsoft Graph PowerShell (Install-Module Microsoft.Graph.Applications). Run it as somebody who may consent for the whole
  tenant. It can be run again: what is there already stays. Mail permissions are left out with -ScopedMail; give them with
  scope.ps1 then, because a grant in Entra would reach every mailbox whatever Exchange says.
.EXAMPLE
  ./register.ps1 -Certificate ./mailwarden.crt -Files OneDrive
#>
param(
    [string] $Name = "Mailwarden",
    [Parameter(Mandatory)] [string] $Certificate,
    [ValidateSet("Off", "OneDrive", "All")] [string] $Files = "Off",
    [switch] $SharingChanges,
    # Members of exempt_groups and protected_groups; -Files asks for it too, for guests in groups that a file is shared with.
    [switch] $Groups,
    [switch] $ScopedMail
)
$ErrorActionPreference = "Stop"
Connect-MgGraph -Scopes "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All" -NoWelcome

$wanted = @("User.Read.All")
if (-not $ScopedMail) { $wanted += "Mail.Read", "MailboxSettings.Read" }
if ($Groups -or $Files -ne "Off") { $wanted += "GroupMember.Read.All" }
if ($Files -ne "Off") { $wanted += "Files.Read.All" }
if ($Files -eq "All") { $wanted += "Sites.Read.All" }
if ($SharingChanges) { $wanted += "Sites.FullControl.All" }

$app = Get-MgApplication -Filter "displayName eq '$($Name -replace "'", "''")'" | Select-Object -First 1
if (-not $app) { $app = New-MgApplication -DisplayName $Name -SignInAudience AzureADMyOrg }

$certificateFile = [System.Security.Cryptography.X509Certificates.X509Certificate2]::new((Resolve-Path $Certificate).Path)
$print = $certificateFile.GetCertHashString("SHA1")
$present = @($app.KeyCredentials | Where-Object { [Convert]::ToHexString($_.CustomKeyIdentifier) -eq $print })
if (-not $present) {
    # The whole list is replaced, so the certificates in use go along: an old one stays valid until you remove it.
    $keys = @($app.KeyCredentials) + @{ Type = "AsymmetricX509Cert"; Usage = "Verify"; Key = $certificateFile.RawData }
    Update-MgApplication -ApplicationId $app.Id -KeyCredentials $keys
}

$own = Get-MgServicePrincipal -Filter "appId eq '$($app.AppId)'"
if (-not $own) { $own = New-MgServicePrincipal -AppId $app.AppId }
$graph = Get-MgServicePrincipal -Filter "appId eq '00000003-0000-0000-c000-000000000000'"
$roles = foreach ($value in $wanted) {
    $role = $graph.AppRoles | Where-Object { $_.Value -eq $value -and $_.AllowedMemberTypes -contains "Application" }
    if (-not $role) { throw "Microsoft Graph has no application permission $value here" }
    $role
}
$access = @{ ResourceAppId = $graph.AppId; ResourceAccess = @($roles | ForEach-Object { @{ Id = $_.Id; Type = "Role" } }) }
Update-MgApplication -ApplicationId $app.Id -RequiredResourceAccess @($access)
$granted = Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $own.Id -All
foreach ($role in $roles) {
    if ($granted.AppRoleId -notcontains $role.Id) {
        New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $own.Id -PrincipalId $own.Id -ResourceId $graph.Id -AppRoleId $role.Id | Out-Null
    }
}

"tenant_id: $((Get-MgContext).TenantId)"
"client_id: $($app.AppId)"
"enterprise application's object id, for scope.ps1: $($own.Id)"
"Next: mailwarden doctor"
