<#
.SYNOPSIS
  Gives Mailwarden its mail permissions for some mailboxes only: Exchange RBAC for Applications.
.DESCRIPTION
  Exchange Online PowerShell (Install-Module ExchangeOnlineManagement). These grants are added to those of Entra: take Mail.Read,
  MailboxSettings.Read and Mail.Send out of the API permissions, or the scope means nothing. It can be run again.
.EXAMPLE
  ./scope.ps1 -AppId <client id> -ObjectId <enterprise application's object id> -Filter "CustomAttribute1 -eq 'scanned'" -Test head@trust.example
.EXAMPLE
  ./scope.ps1 -AppId <notices app> -ObjectId <its object id> -Filter "PrimarySmtpAddress -eq 'mailwarden@trust.example'" -Sends -Test mailwarden@trust.example
#>
param(
    [Parameter(Mandatory)] [guid] $AppId,
    [Parameter(Mandatory)] [guid] $ObjectId,
    [Parameter(Mandatory)] [string] $Filter,
    [switch] $Sends,
    [Parameter(Mandatory)] [string] $Test
)
$ErrorActionPreference = "Stop"
Connect-ExchangeOnline -ShowBanner:$false

if (-not (Get-ServicePrincipal | Where-Object AppId -eq $AppId)) {
    New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId -DisplayName "Mailwarden" | Out-Null
}
$roles = if ($Sends) { @("Application Mail.Send") } else { @("Application Mail.Read", "Application MailboxSettings.Read") }
$scope = if ($Sends) { "Mailwarden sends" } else { "Mailwarden reads" }
if (Get-ManagementScope | Where-Object Name -eq $scope) {
    Set-ManagementScope -Identity $scope -RecipientRestrictionFilter $Filter
}
else {
    New-ManagementScope -Name $scope -RecipientRestrictionFilter $Filter | Out-Null
}
foreach ($role in $roles) {
    $known = Get-ManagementRoleAssignment -Role $role -ErrorAction SilentlyContinue | Where-Object CustomResourceScope -eq $scope
    if (-not $known) { New-ManagementRoleAssignment -App $AppId -Role $role -CustomResourceScope $scope | Out-Null }
}

# At once; the service itself may take half an hour to two hours to follow.
Test-ServicePrincipalAuthorization -Identity $AppId -Resource $Test | Format-Table -Property @("RoleName", "AllowedResourceScope", "InScope")
