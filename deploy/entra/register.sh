#!/bin/sh
# Makes the app registration for Mailwarden with the Azure CLI, uploads its certificate and grants the least application permissions.
# Usage: register.sh CERTIFICATE.pem [PERMISSION ...]      (default: User.Read.All Mail.Read MailboxSettings.Read)
# With files: onedrive also GroupMember.Read.All Files.Read.All, with files: all Sites.Read.All too (deploy/permissions.md).
# Run `az login --allow-no-subscriptions` first, as somebody who may consent for the whole tenant. It can be run again.
set -eu
certificate=${1:?give the certificate (PEM, without its key)}
shift
[ $# -gt 0 ] || set -- User.Read.All Mail.Read MailboxSettings.Read
name=${NAME:-Mailwarden}
graph=00000003-0000-0000-c000-000000000000

app=$(az ad app list --display-name "$name" --query "[?displayName=='$name'].appId | [0]" -o tsv)
[ -n "$app" ] || app=$(az ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId -o tsv)
az ad sp show --id "$app" >/dev/null 2>&1 || az ad sp create --id "$app" >/dev/null
# --append: an old certificate stays valid until you remove it. The same one is not uploaded twice.
print=$(openssl x509 -in "$certificate" -noout -fingerprint -sha1 | sed 's/.*=//; s/://g')
known=$(az ad app credential list --id "$app" --cert --query "[].customKeyIdentifier" -o tsv)
printf '%s\n' "$known" | grep -qix "$print" || az ad app credential reset --id "$app" --cert "@$certificate" --append >/dev/null

present=$(az ad app permission list --id "$app" --query "[].resourceAccess[].id" -o tsv)
for permission in "$@"; do
    role=$(az ad sp show --id "$graph" --query "appRoles[?value=='$permission' && contains(allowedMemberTypes, 'Application')].id | [0]" -o tsv)
    [ -n "$role" ] || { echo "Microsoft Graph has no application permission $permission here" >&2; exit 1; }
    printf '%s\n' "$present" | grep -qx "$role" ||
        az ad app permission add --id "$app" --api "$graph" --api-permissions "$role=Role" >/dev/null
done
# The directory takes some seconds to know a new app everywhere.
tries=0
until az ad app permission admin-consent --id "$app"; do
    tries=$((tries + 1))
    [ "$tries" -lt 6 ] || { echo "consent was not given: press 'Grant admin consent' in the Entra admin centre" >&2; exit 1; }
    sleep 10
done

echo "tenant_id: $(az account show --query tenantId -o tsv)"
echo "client_id: $app"
echo "enterprise application's object id, for scope.ps1: $(az ad sp show --id "$app" --query id -o tsv)"
echo "Next: mailwarden doctor"
